"""Pull: fetch, then move our heads along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mu2net_core.api.cache import keep_bounded
from mu2net_core.api.context import Context
from mu2net_core.api.fetch import fetch
from mu2net_core.api.merge import merge
from mu2net_core.repo import Repository
from mu2net_core.repo.join import OnConflict
from mu2net_core.repo.outcomes import Counter, Exchange, ExchangeConflictError, TaskReport, Watch
from mu2net_core.repo.prefetch import bring_models

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

    In a partial clone, components come when something needs them; those of the models of ``tasks`` come now.

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
    """
    fetched = fetch(repo, context, remote, tasks, require_signed=require_signed, progress=progress)
    try:
        merged = merge(repo, context, fetched.remote, tasks, on_conflict=on_conflict, require_signed=require_signed)
    except ExchangeConflictError as exc:
        raise ExchangeConflictError([exc], replace(fetched, tasks=exc.done.tasks)) from exc
    counter = Counter(progress)
    counter.begin(fetched.num_objects, fetched.size_bytes)
    for task in tasks:
        head = repo.refs.head(task)
        model_id = repo.objects.commit(head.commit).model if head is not None else None
        bring_models(repo, [] if model_id is None else [model_id], what=task, counter=counter)
    keep_bounded(repo, context)
    told = _joined(fetched.tasks, merged.tasks)
    return replace(fetched, tasks=told, num_objects=counter.num_objects, size_bytes=counter.size_bytes)


def _joined(fetched: Iterable[TaskReport], merged: Iterable[TaskReport]) -> tuple[TaskReport, ...]:
    """Returns what became of each task here; what was wrong with a log over there is told of it, too."""
    before = {report.task: report for report in fetched if report.reason is not None}
    return tuple(_with_reason(report, before.get(report.task)) for report in merged)


def _with_reason(report: TaskReport, before: TaskReport | None) -> TaskReport:
    if before is None or (report.reason is not None and before.outcome != "broken"):
        return report
    outcome = before.outcome if before.outcome == "broken" else report.outcome
    return replace(report, outcome=outcome, reason=before.reason)
