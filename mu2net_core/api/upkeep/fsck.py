"""``fsck``: re-hashes every object and follows every edge; restores what is damaged from another repository."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from mu2net_core.api.context import Context
from mu2net_core.api.quiet import ignore
from mu2net_core.api.sharing.exchanges import requiring
from mu2net_core.api.sharing.remote import resolve_url
from mu2net_core.api.signing.trust import trust_of
from mu2net_core.api.upkeep.repair import trusting
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking import Patient, Share, Watch, examine, patient_here, patient_there
from mu2net_core.repo.core import FsckReport, Problem
from mu2net_core.repo.exchange import GuardedSource, Policy, fetch
from mu2net_core.repo.history import near
from mu2net_core.repo.remotes import RemoteRepository, check_own, connect, find_remote, read_tracking, write_tracking

__all__ = ["FsckReport", "Problem", "fsck", "parse_share"]

_SHARE = re.compile(r"(\d{1,6})/(\d{1,6})")


def fsck(
    repo: Repository,
    context: Context,
    *,
    remote: str | None = None,
    repair_from: str | None = None,
    subset: str | None = None,
    progress: Watch = ignore,
) -> FsckReport:
    """Returns what is wrong with a repository, here or on a remote, after repairs if asked for.

    Args:
        repo: to check; or with ``remote`` a working copy that knows it.
        context: of the call; a relative folder is relative to its ``cwd``.
        remote: name of the remote to check; None for here.
        repair_from: name of a remote, or the folder or URL of any other copy (``.`` for this one), to take good copies
            from. A remote gets nothing that its readers may not see. Where everything has to be signed
            (``pull.require_signed``), no entry of a head, tag or tombstone comes back that is not.
        subset: which part of the objects to hash: ``n/m`` is the n-th of m parts; by default all.
        progress: told what is being done, how much of it is done, and how much it is.

    A repair of a remote fetches from it first: only by what is new there can it be told who may see what.

    Raises:
        NotFoundError: there is no such remote, or no repository at ``repair_from``; or the remote is another one now.
        ConflictError: one of both is another repository.
        InvalidInputError: ``subset`` is no such part.
        AccessDeniedError: permissions forbid a repair.
    """
    share = None if subset is None else parse_share(subset)
    source = None if repair_from is None else _source(repo, context, repair_from)
    trust = None if source is None else trust_of(repo, context)
    if remote is None:
        here = patient_here(repo)
        here = here if source is None else trusting(here, trust, source.objects)
        return examine(here, source=source, share=share, now=context.now(), watch=progress)
    reached = connect(find_remote(repo.config, remote), limits=repo.limits)
    if source is None:
        return examine(patient_there(reached, repo), share=share, now=context.now(), watch=progress)
    patient = trusting(patient_there(reached, repo), trust, source.objects)
    with suppress(Mu2netError):  # it is damaged; what else is new there tells who may see it
        fetch(repo, reached, clock=context.now, policy=requiring(Policy(), trust))
    guarded = GuardedSource(source, repo, reached.audience)
    report = examine(_silent(patient, guarded), source=guarded, share=share, now=context.now(), watch=progress)
    if report.is_clean:
        write_tracking(repo.state, remote, replace(read_tracking(repo.state, reached.remote), lost=()))
    refused = {f"{kind}/{oid}" for kind, oid in guarded.refused}
    return replace(report, problems=tuple(_explained(problem, refused, remote) for problem in report.problems))


def _silent(patient: Patient, guarded: GuardedSource) -> Patient:
    """Returns a remote that takes over no ref by which its readers would learn of a task that is not for them."""
    return replace(patient, trusts=lambda key, data: guarded.may_tell(key, data) and patient.trusts(key, data))


def _explained(problem: Problem, refused: Collection[str], remote: str) -> Problem:
    """Returns a problem; of what was not sent for its readers' sake it says so."""
    if problem.object not in refused:
        return problem
    why = (
        f" The other copy has it; it was not sent, because by what is known here not all who can read {remote} may see "
        f"it. If that is out of date: mu2net merge {remote}, then again."
    )
    return replace(problem, message=problem.message + why)


def parse_share(text: str) -> Share:
    """Returns the n and m of ``n/m``; raises InvalidInputError if it is no part of a whole."""
    match = _SHARE.fullmatch(text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InvalidInputError(f"Not a part: {text!r}. Expected n/m, the n-th of m parts, e.g. 1/10.")
    return int(match[1]), int(match[2])


def _source(repo: Repository, context: Context, repair_from: str) -> RemoteRepository:
    remotes = repo.config.remotes
    remote = remotes.get(repair_from) or Remote(name="repair", url=resolve_url(repair_from, context))
    source = connect(remote, limits=repo.limits)
    try:
        found = source.config()
    except NotFoundError as exc:
        if repair_from in remotes:
            raise
        raise NotFoundError(
            f"There is no remote {repair_from} (remotes: {', '.join(sorted(remotes)) or 'none'}). {exc.message}",
            hint=near(repair_from, tuple(remotes), "mu2net remote"),
        ) from exc
    check_own(remote, found.identity, repo.identity)
    return source
