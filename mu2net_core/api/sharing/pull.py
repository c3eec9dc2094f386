"""Pull: fetch, then move our heads along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.models.cache import keep_bounded
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.repo import Repository
from mu2net_core.repo.exchange import OnConflict
from mu2net_core.repo.history import basis_of
from mu2net_core.repo.remotes import (
    Counter,
    Exchange,
    ExchangeConflictError,
    RemoteBehindError,
    TaskReport,
    Watch,
    bring_models,
    broken_report,
    broken_wins,
    find_remote,
    read_tracking,
)

__all__ = ["pull"]


def pull(
    repo: Repository,
    context: Context,
    remote: str | None = None,
    tasks: Sequence[str] = (),
    *,
    on_conflict: OnConflict = "best",
    require_signed: Path | None = None,
    progress: Watch | None = None,
) -> Exchange:
    """Brings a remote's work here: heads only behind move along, diverged ones are joined; returns what happened.

    In a partial clone, components come when something needs them; those of the models of ``tasks`` come now. What is
    broken there is reported, and stays out; all else comes.

    Args:
        repo: where to.
        context: of the call.
        remote: its name; by default ``origin``, or the only one.
        tasks: only these (and tasks they learned from that are unknown here); by default all.
        on_conflict: ``best`` keeps the better score, ``ours`` and ``theirs`` a side, ``fail`` stops.
        require_signed: a file of allowed keys, as ssh's ``allowed_signers``: a head whose new history is not signed by
            one of them stays where it is, and a tag stays out; both are reported as ``refused``. By default what the
            setting ``pull.require_signed`` names, if it does.
        progress: told of every object.

    Raises:
        NotFoundError: there is no such remote, no repository there, or no such task on it.
        ConflictError: heads diverged and ``on_conflict`` does not join them; all others moved.
        RemoteBehindError: the remote is behind what was seen of it; all else was done.
    """
    fetched, behind = _fetch(repo, context, remote, tasks, require_signed, progress)
    known = read_tracking(repo.state, find_remote(repo.config, fetched.remote)).heads
    try:
        taken = [task for task in tasks if task in known]
        merged = (
            ()
            if tasks and not taken
            else merge(
                repo, context, fetched.remote, taken, on_conflict=on_conflict, require_signed=require_signed
            ).tasks
        )
    except ExchangeConflictError as exc:
        if behind is not None:
            context.warn(behind.message)
        raise ExchangeConflictError([exc], replace(fetched, tasks=broken_wins(fetched.tasks, exc.done.tasks))) from exc
    counter = Counter(progress)
    counter.begin(fetched.num_objects, fetched.size_bytes)
    reports = broken_wins(fetched.tasks, _completed(repo, tasks, merged, counter))
    keep_bounded(repo, context)
    done = replace(fetched, tasks=reports, num_objects=counter.num_objects, size_bytes=counter.size_bytes)
    if behind is not None:
        raise RemoteBehindError(behind, done) from behind
    return done


def _fetch(
    repo: Repository,
    context: Context,
    remote: str | None,
    tasks: Sequence[str],
    require_signed: Path | None,
    progress: Watch | None,
) -> tuple[Exchange, RemoteBehindError | None]:
    """Returns what was fetched, and the error if the remote is behind what was seen of it."""
    try:
        return fetch(repo, context, remote, tasks, require_signed=require_signed, progress=progress), None
    except RemoteBehindError as exc:
        return exc.done, exc


def _completed(
    repo: Repository, tasks: Sequence[str], merged: Iterable[TaskReport], counter: Counter
) -> tuple[TaskReport, ...]:
    """Brings the components of the models of ``tasks``; returns the reports, also of those whose are not to be had."""
    reports = {report.task: report for report in merged}
    for task in tasks:
        head = repo.refs.head(task)
        commit = None if head is None else repo.objects.commit(head.commit)
        wanted = [] if commit is None else [commit.model, basis_of(repo, commit)]
        try:
            bring_models(repo, [oid for oid in wanted if oid is not None], what=task, counter=counter)
        except (CorruptObjectError, NotFoundError) as exc:
            reports[task] = broken_report(task, exc)
    return tuple(reports.values())
