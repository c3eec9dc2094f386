"""How far tombstones are believed: of objects of their own task, in this repository.

Whoever may write to a remote can write tombstones, and list in them what he likes. So each is taken as a claim. What it
says of an object that is here and is another task's counts for nothing; what is not here cannot be sent anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from mu2net_core.errors import Mu2netError
from mu2net_core.repo.closure import Node
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.purged import Purged, Tombstone
from mu2net_core.repo.remote import Remote
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import read_purged

__all__ = ["believed", "belongs", "purges_here", "purges_there", "without_others"]

Refuse = Callable[[Tombstone], str | None]


def believed(
    stones: Iterable[Tombstone], objects: ObjectDatabase, identity: str, refuse: Refuse | None = None
) -> tuple[Tombstone, ...]:
    """Returns tombstones as far as they are believed.

    Args:
        stones: as they were read.
        objects: where what they list is looked up, as far as it is there.
        identity: of the repository.
        refuse: returns why one counts for nothing, or None.
    """
    own = (stone for stone in stones if stone.identity == identity)
    return tuple(without_others(stone, objects) for stone in own if refuse is None or refuse(stone) is None)


def without_others(stone: Tombstone, objects: ObjectDatabase) -> Tombstone:
    """Returns a tombstone without what it says of objects that are in ``objects`` and are none of its task's."""
    kept = tuple(f"{kind}/{oid}" for kind, oid in stone.nodes if belongs(objects, (kind, oid), stone.task) is not False)
    roots = tuple(oid for oid in stone.roots if _may_begin(objects, oid, stone.task))
    return stone if (kept, roots) == (stone.objects, stone.roots) else replace(stone, objects=kept, roots=roots)


def belongs(objects: ObjectDatabase, node: Node, task: str) -> bool | None:
    """Returns whether an object is of a task, by what it says itself; None if it is not in ``objects``.

    A component is of all tasks whose data trained it. A snapshot is of none, and may be of any.
    """
    kind, oid = node
    if not objects.has(kind, oid):
        return None
    try:
        if kind == "task":
            return objects.task(oid).name == task
        if kind == "component":
            label = objects.label(oid)
            return label is not None and task in label.trained_by
        return kind == "snapshot" or (objects.commit(oid) if kind == "commit" else objects.model(oid)).task == task
    except Mu2netError:
        return False  # reading it says what is wrong


def purges_here(repo: Repository) -> Purged:
    """Returns what was purged from a working copy; raises CorruptObjectError if a tombstone is damaged."""
    return Purged(believed(repo.refs.every_tombstone(), repo.objects, repo.identity))


def purges_there(repo: Repository, remote: Remote, refuse: Refuse | None = None) -> Purged:
    """Returns what was purged from a remote, as far as that was seen and is believed; arguments as above."""
    return Purged(believed(read_purged(repo.state, remote), repo.objects, repo.identity, refuse))


def _may_begin(objects: ObjectDatabase, oid: str, task: str) -> bool:
    """Returns whether a history of the task may begin with a commit, as far as that is known."""
    if not objects.has("commit", oid):
        return True
    try:
        commit = objects.commit(oid)
    except Mu2netError:
        return False
    return commit.task == task and not commit.parents
