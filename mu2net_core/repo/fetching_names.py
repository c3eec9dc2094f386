"""Bringing a remote's roots and tags here: names that are given once and never move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mu2net_core.errors import AlreadyExistsError, ConflictError
from mu2net_core.repo.believed import purges_there
from mu2net_core.repo.closure import Node
from mu2net_core.repo.intake import receive, receive_components
from mu2net_core.repo.outcomes import Counter, NameReport
from mu2net_core.repo.purged import Purged
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import Tracking, write_tracking

__all__ = ["fetch_roots", "fetch_tags", "root_conflict"]


def fetch_roots(
    repo: Repository, remote: RemoteRepository, tracking: Tracking, counter: Counter
) -> tuple[Tracking, tuple[NameReport, ...]]:
    """Copies the roots of ``remote``; returns what is known of it now, also stored, and each root that is new.

    Raises:
        ConflictError: a root of the same name is another model there.
    """
    theirs, ours, reports = remote.refs.roots(seen=tracking.roots), repo.refs.roots(), []
    for name, model_id in _sorted(theirs):
        if ours.get(name, model_id) != model_id:
            raise root_conflict(name, ours[name], model_id, remote.remote.name)
    for name, model_id in _sorted(theirs):
        receive(repo, remote, [("model", model_id)], what="roots", counter=counter)
        if not remote.remote.partial:
            receive_components(repo, remote, [model_id], what="roots", counter=counter)
        if name not in ours:
            repo.refs.create_root(name, model_id)
            reports.append(NameReport(name=name, outcome="new", id=model_id))
        tracking = tracking.with_root(name, model_id)
    if theirs:
        write_tracking(repo.state, remote.remote.name, tracking)
    return tracking, tuple(reports)


def fetch_tags(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    counter: Counter,
    refuse_tag: Callable[[str, str], str | None] | None,
) -> tuple[Tracking, tuple[NameReport, ...]]:
    """Copies the tags of ``remote`` and all they name; returns what is known of it now, and tags of interest.

    Args:
        repo: where to.
        remote: where from.
        tracking: what is known of it.
        counter: of objects.
        refuse_tag: returns why a tag of that name and snapshot is not taken over.
    """
    theirs, ours, reports = remote.refs.tags(seen=tracking.tags), repo.refs.tags(), []
    purged = purges_there(repo, remote.remote)
    for name, snapshot_id in _sorted(theirs):
        if ours.get(name) == tracking.tags.get(name) == snapshot_id:
            continue
        gone = _receive_tag(repo, remote, snapshot_id, purged, counter)
        if gone is not None:
            reason = f"it names {gone}, which was purged from {remote.remote.name}"
            reports.append(NameReport(name=name, outcome="skipped", id=snapshot_id, reason=reason))
            continue
        refusal = None if name in ours or refuse_tag is None else refuse_tag(name, snapshot_id)
        if refusal is not None:
            reports.append(NameReport(name=name, outcome="refused", id=snapshot_id, reason=refusal))
            continue
        report = _take_tag(repo, name, snapshot_id, ours.get(name))
        reports.extend([] if report is None else [report])
        tracking = tracking.with_tag(name, snapshot_id)
    if theirs:
        write_tracking(repo.state, remote.remote.name, tracking)
    return tracking, tuple(reports)


def _receive_tag(
    repo: Repository, remote: RemoteRepository, snapshot_id: str, purged: Purged, counter: Counter
) -> str | None:
    """Copies what a tag names; returns a task that was purged, so that the tag cannot be whole.

    What tombstones of others list counts only where it is gone: they may list what they like.
    """
    task = purged.lists(("snapshot", snapshot_id))
    if task is not None and not remote.objects.has("snapshot", snapshot_id):
        return task
    receive(repo, remote, [("snapshot", snapshot_id)], what="tags", counter=counter)
    heads = repo.objects.snapshot(snapshot_id).heads
    commits: list[Node] = [("commit", oid) for oid in heads.values()]
    gone = next((task for task, oid in heads.items() if purged.is_listed(("commit", oid), task)), None)
    if gone is None:
        receive(repo, remote, commits, what="tags", counter=counter)
    return gone


def _take_tag(repo: Repository, name: str, theirs: str, ours: str | None) -> NameReport | None:
    if ours == theirs:
        return None
    if ours is not None:
        reason = f"here it names {ours[:10]}, there {theirs[:10]}; tags never move, so ours stays"
        return NameReport(name=name, outcome="conflict", id=theirs, reason=reason)
    try:
        repo.refs.create_tag(name, theirs)
    except AlreadyExistsError as exc:  # also a tag "a/b" where there is an "a"
        return NameReport(name=name, outcome="conflict", id=theirs, reason=exc.message)
    return NameReport(name=name, outcome="new", id=theirs)


def root_conflict(name: str, ours: str, theirs: str | None, remote: str) -> ConflictError:
    """Returns the error for a root that is one model here and another on a remote."""
    there = "another model" if theirs is None else theirs[:10]
    return ConflictError(
        f"The root {name} is the model {ours[:10]} here and {there} on the remote {remote}: these are two systems "
        "that grew from different roots.",
        hint="Clone the remote into another folder and evolve there, or make a new remote for this one.",
    )


def _sorted(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return iter(sorted(names.items()))
