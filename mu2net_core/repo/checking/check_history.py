"""Follows every edge from the refs, and checks who learned from whom over the whole history."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Set

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Commit, Snapshot
from mu2net_core.repo.checking.check_access import check_access
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.checking.check_refs import RefScan
from mu2net_core.repo.checking.check_walk import Walk
from mu2net_core.repo.core import Purged, complete, entry_key, snapshot_chain
from mu2net_core.repo.remotes import Node

__all__ = ["walk_history"]


def walk_history(scan: Scan, refs: RefScan, *, partial: bool) -> Walk:
    """Returns what ``refs`` reach among the objects of ``scan``.

    What is alive is followed first, and none of that may be missing, whatever tombstones say: whoever may write here
    can make them. What purges left behind comes after it.

    Args:
        scan: the objects.
        refs: the refs.
        partial: whether components that are missing may be on a remote.
    """
    walk = Walk(scan=scan, partial=partial, purged=Purged())
    alive, faded = _commits(scan, refs)
    retained = {model_id for key, model_id in refs.roots.items() if _model(walk, model_id, key)}
    for key, snapshot_id in refs.tags.items():
        for snapshot in _snapshots(walk, snapshot_id, key):
            retained |= {model_id for model_id in snapshot.roots.values() if _model(walk, model_id, key)}
        for task, oid in _heads(walk, snapshot_id, key):
            (faded if refs.purged.is_listed(("commit", oid), task) else alive).append((oid, key))
    _follow(walk, alive, retained)
    claimed = frozenset(walk.needed)
    walk.purged = refs.purged
    _follow(walk, faded, set())
    for task, number, commit_id in refs.commits:
        if commit_id in scan.commits and scan.commits[commit_id].task != task:
            message = f"It names a commit of the task {scan.commits[commit_id].task}."
            walk.report("wrong-reference", entry_key(task, number), message)
    _unfinished(walk, refs)
    _check_claims(walk, refs, claimed)
    check_access(walk)
    return walk


def _commits(scan: Scan, refs: RefScan) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Returns the commits that entries name, with their keys: those that are alive, and those that may be gone."""
    newest = {task: number for task, number, _ in sorted(refs.commits)}
    alive, faded = list[tuple[str, str]](), list[tuple[str, str]]()
    for task, number, commit_id in refs.commits:
        is_gone = commit_id not in scan.commits and refs.purged.is_listed(("commit", commit_id), task)
        is_covered = refs.purged.covers_entry(task, number) and (number != newest[task] or is_gone)
        (faded if is_covered else alive).append((commit_id, entry_key(task, number)))
    return alive, faded


def _follow(walk: Walk, pending: list[tuple[str, str]], retained: set[str]) -> None:
    """Follows commits, and what they retain besides ``retained``."""
    while pending:
        commit_id, by = pending.pop()
        if walk.need("commit", commit_id, by):
            commit = walk.scan.commits[commit_id]
            pending += [(parent, f"commit {commit_id[:16]}") for parent in commit.parents]
            retained |= _commit(walk, commit_id, commit)
    for model_id in sorted(retained):
        _components(walk, model_id)


def _check_claims(walk: Walk, refs: RefScan, alive: Set[Node]) -> None:
    """Notes tombstones that are of another repository, or list what is alive: these count for nothing in that."""
    for key, stone in refs.foreign.items():
        message = f"It is of another repository, whose identity is {stone.identity}, and counts for nothing. Delete it."
        walk.warn("foreign", key, message)
    for key, stone in refs.tombstones.items():
        listed = [node for node in stone.nodes if node[0] not in {"task", "snapshot"} and node in alive]
        if listed:
            some = ", ".join(f"{kind} {oid[:10]}" for kind, oid in listed[:3]) + ", ..." * (len(listed) > 3)
            message = (
                f"It says that {len(listed)} objects went with {stone.task} which others need ({some}). That counts "
                "for nothing: they are sent, kept and missed as ever. Leave the file; ask who may write here."
            )
            walk.warn("forged", key, message)


def _unfinished(walk: Walk, refs: RefScan) -> None:
    """Reports heads whose newest entry names what was purged: the one that a purge ends with is gone."""
    newest = {task: (number, commit_id) for task, number, commit_id in sorted(refs.commits)}
    for task, (number, commit_id) in newest.items():
        if commit_id not in walk.scan.commits and walk.purged.covers_entry(task, number):
            message = f"{task} was purged, and the entry that its purge ended with is gone. `mu2net push` of a copy "
            walk.report("missing-ref", entry_key(task, number + 1), f"{message}that has it brings it back.")


def _commit(walk: Walk, commit_id: str, commit: Commit) -> set[str]:
    """Follows a commit's edges; returns the model it retains, if it is there."""
    by = f"commit {commit_id[:16]}"
    walk.need("task", commit.task_id, by)
    for oid in commit.snapshots:
        for snapshot in _snapshots(walk, oid, by):
            for model_id in snapshot.roots.values():
                _model(walk, model_id, by)
    task = walk.scan.tasks.get(commit.task_id)
    if task is not None and task.name != commit.task:
        walk.report("wrong-reference", f"commit/{commit_id}", f"It is of {commit.task}, its task of {task.name}.")
    if commit.model is None or not _model(walk, commit.model, by):
        return set()
    owner = walk.scan.models[commit.model].task
    if owner != commit.task:
        walk.report("wrong-reference", f"commit/{commit_id}", f"It is of {commit.task}, its model of {owner}.")
    return {commit.model}


def _snapshots(walk: Walk, oid: str | None, by: str) -> Iterator[Snapshot]:
    """Yields a snapshot as it is stored, and those it stands on, as far as they are met for the first time."""
    while oid is not None and walk.need("snapshot", oid, by):
        yield walk.scan.snapshots[oid]
        by, oid = f"snapshot {oid[:16]}", walk.scan.snapshots[oid].base


def _heads(walk: Walk, snapshot_id: str, by: str) -> Collection[tuple[str, str]]:
    """Returns the tasks and commits a snapshot names; none if a part of it is missing or damaged: a problem already."""
    try:
        return complete(snapshot_chain(snapshot_id, walk.scan.snapshots.__getitem__)).heads.items()
    except KeyError:
        return ()
    except CorruptObjectError as exc:
        walk.report("wrong-reference", by, exc.message)
        return ()


def _model(walk: Walk, model_id: str, by: str) -> bool:
    """Follows a model's sources to their roots; returns whether the model itself is there."""
    pending = [(model_id, by)]
    while pending:
        current, by = pending.pop()
        if walk.need("model", current, by):
            model = walk.scan.models[current]
            if model.task_id is not None:
                walk.need("task", model.task_id, f"model {current[:16]}")
            walk.reached |= {("component", ref.id) for ref in model.components if ref.id in walk.scan.components}
            pending += [(source, f"model {current[:16]}") for source in model.sources]
    return model_id in walk.scan.models


def _components(walk: Walk, model_id: str) -> None:
    for ref in walk.scan.models[model_id].components:
        walk.need("component", ref.id, f"model {model_id[:16]}")
        found = walk.scan.components.get(ref.id)
        if found is not None and found != (ref.num_params, ref.size_bytes):
            message = (
                f"It says that its {ref.name} has {ref.num_params} parameters in {ref.size_bytes} bytes; "
                f"that component has {found[0]} in {found[1]}."
            )
            walk.report("wrong-reference", f"model/{model_id}", message)
