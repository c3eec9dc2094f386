"""Bringing a remote's roots and tags here: names that are given once and never move, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

from mu2net_core.errors import AlreadyExistsError, CorruptObjectError, Mu2netError
from mu2net_core.repo.core import Purged, Repository
from mu2net_core.repo.exchange.intake import receive, receive_components
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.name_clashes import root_conflict
from mu2net_core.repo.exchange.presence import Presence
from mu2net_core.repo.history import ISOLATED, Arrivals
from mu2net_core.repo.remotes import (
    Counter,
    NameReport,
    Node,
    RemoteRepository,
    Seen,
    Tracking,
    purges_there,
    why_broken,
    write_tracking,
)

__all__ = ["fetch_roots", "fetch_tags", "other_tag"]

_NONE: Mapping[str, str] = MappingProxyType({})


def fetch_roots(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    policy: Policy,
    *,
    counter: Counter,
    arrivals: Arrivals,
) -> tuple[Tracking, tuple[NameReport, ...]]:
    """Copies the roots of ``remote``; returns what is known of it now, also stored, and what is to be told of them."""
    (theirs, bad), ours = remote.refs.names("roots", _NONE if policy.is_strict else tracking.roots), repo.refs.roots()
    reports = [_broken(name, exc) for name, exc in bad.items() if f"root {name}" not in tracking.lost]
    taken = _taken(repo, tracking, "tags") if theirs.keys() - ours.keys() else {}
    presence = Presence(remote, Seen(repo.objects, tracking))
    for name, model_id in _sorted(theirs):
        if ours.get(name, model_id) != model_id:
            reason = root_conflict(name, ours[name], model_id, remote.remote.name).message
            reports.append(NameReport(name=name, outcome="conflict", id=model_id, reason=reason))
            continue
        try:
            _receive_root(repo, presence, model_id, tracking.roots.get(name), counter, arrivals)
            if name not in ours:
                _check_free(name, taken)
                repo.refs.create_root(name, model_id)
                reports.append(NameReport(name=name, outcome="new", id=model_id))
        except (*ISOLATED, AlreadyExistsError) as exc:  # also a root "a/b" where there is an "a"
            reports.append(_broken(name, exc, model_id))
            continue
        tracking = tracking.with_root(name, model_id)
    if theirs:
        write_tracking(repo.state, remote.remote.name, tracking)
    return tracking, tuple(sorted(reports, key=lambda report: report.name))


def fetch_tags(
    repo: Repository,
    remote: RemoteRepository,
    tracking: Tracking,
    policy: Policy,
    *,
    counter: Counter,
    arrivals: Arrivals,
) -> tuple[Tracking, tuple[NameReport, ...]]:
    """Copies the tags of ``remote`` and all they name; returns what is known of it now, and tags of interest.

    Args:
        repo: where to.
        remote: where from.
        tracking: what is known of it.
        policy: what may not be taken over.
        counter: of objects.
        arrivals: what is judged by.
    """
    (theirs, bad), ours = remote.refs.names("tags", _NONE if policy.is_strict else tracking.tags), repo.refs.tags()
    reports = [_broken(name, exc) for name, exc in bad.items() if f"tag {name}" not in tracking.lost]
    purged = purges_there(repo, remote.remote, policy.refuse_stone)
    taken = _taken(repo, tracking, "roots") if theirs.keys() - ours.keys() else {}
    presence = Presence(remote, Seen(repo.objects, tracking))  # one for all: histories are walked once
    for name, snapshot_id in _sorted(theirs):
        if ours.get(name) == tracking.tags.get(name) == snapshot_id:
            continue
        try:
            if name not in ours:
                _check_free(name, taken)
            gone = _receive_tag(repo, presence, name, snapshot_id, purged, counter, arrivals)
            refusal = None if name in ours or gone else _refusal(policy, name, snapshot_id)
        except ISOLATED as exc:
            reports.append(_broken(name, exc, snapshot_id))
            continue
        if gone is not None:
            reason = f"it names {gone}, which was purged from {remote.remote.name}"
            reports.append(NameReport(name=name, outcome="skipped", id=snapshot_id, reason=reason))
            continue
        if refusal is not None:
            reports.append(NameReport(name=name, outcome="refused", id=snapshot_id, reason=refusal))
            continue
        report = _take_tag(repo, name, snapshot_id, ours.get(name))
        reports.extend([] if report is None else [report])
        tracking = tracking.with_tag(name, snapshot_id)
    if theirs:
        write_tracking(repo.state, remote.remote.name, tracking)
    return tracking, tuple(sorted(reports, key=lambda report: report.name))


def _receive_root(
    repo: Repository, presence: Presence, model_id: str, seen: str | None, counter: Counter, arrivals: Arrivals
) -> None:
    remote = presence.remote
    tips: list[Node] = [("model", model_id)]
    known = tips if model_id == seen else []
    receive(repo, remote, tips, what="roots", counter=counter, arrivals=arrivals, seen=known, presence=presence)
    task = repo.objects.model(model_id).task
    if task is not None:
        raise CorruptObjectError(f"It names the model {model_id[:16]}, which is no root, but one of the task {task}.")
    if not remote.remote.partial:
        receive_components(repo, remote, [model_id], what="roots", counter=counter)


def _receive_tag(
    repo: Repository,
    presence: Presence,
    name: str,
    snapshot_id: str,
    purged: Purged,
    counter: Counter,
    arrivals: Arrivals,
) -> str | None:
    """Copies what a tag names; returns a task that was purged, so that the tag cannot be whole.

    What tombstones of others list counts only where it is gone: they may list what they like.
    """
    remote, task = presence.remote, purged.lists(("snapshot", snapshot_id))
    bring = partial(receive, repo, remote, what="tags", counter=counter, arrivals=arrivals, presence=presence)
    if task is not None and not remote.objects.has("snapshot", snapshot_id):
        return task
    bring([("snapshot", snapshot_id)])
    snapshot, other = repo.objects.snapshot(snapshot_id), other_tag(repo, name, snapshot_id)
    if other is not None:
        raise CorruptObjectError(f"{other[0].upper()}{other[1:]}.")
    commits: list[Node] = [("commit", oid) for oid in snapshot.heads.values()]
    gone = next((task for task, oid in snapshot.heads.items() if purged.is_listed(("commit", oid), task)), None)
    if gone is None:
        bring(commits)
        for task, oid in _sorted(snapshot.heads):
            found = repo.objects.commit(oid).task
            if found != task:
                raise CorruptObjectError(f"It names the commit {oid[:16]} as one of {task}, and that is of {found}.")
    return gone


def other_tag(repo: Repository, name: str, snapshot_id: str) -> str | None:
    """Returns why a snapshot, which is here, is not that of a tag of that name in this repository; None if it can be.

    One that names neither tag nor repository is only judged by the histories in it.
    """
    snapshot = repo.objects.stored_snapshot(snapshot_id)
    if snapshot.identity not in {None, repo.identity}:
        return f"its snapshot is of another repository ({(snapshot.identity or '')[:8]})"
    return None if snapshot.tag in {None, name} else f"its snapshot was made for the tag {snapshot.tag}"


def _refusal(policy: Policy, name: str, snapshot_id: str) -> str | None:
    return None if policy.refuse_tag is None else policy.refuse_tag(name, snapshot_id)


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


def _taken(repo: Repository, tracking: Tracking, others: Literal["tags", "roots"]) -> dict[str, str]:
    """Returns the names that mean something else already, and what: those of tasks, and of all tags, or roots."""
    tasks = dict.fromkeys([*repo.refs.tasks(), *tracking.heads], "task")
    return dict.fromkeys(repo.refs.listed(others), others.removesuffix("s")) | tasks


def _check_free(name: str, taken: Mapping[str, str]) -> None:
    if name in taken:
        raise CorruptObjectError(f"A {taken[name]} is called {name}, too, and the name would mean both.")


def _broken(name: str, error: Mu2netError, oid: str = "") -> NameReport:
    return NameReport(name=name, outcome="broken", id=oid, reason=why_broken(error))


def _sorted(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return iter(sorted(names.items()))
