"""How far tombstones are believed: of objects of their own task, in this repository.

Whoever may write to a remote can write tombstones, and list in them what he likes. So each is taken as a claim. What it
says of an object that is here and is another task's counts for nothing; what is not here cannot be sent anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import KINDS, Kind
from mu2net_core.repo.core import ObjectDatabase, Purged, Remote, Repository, Tombstone
from mu2net_core.repo.remotes.tracking import read_purged

__all__ = ["believed", "purges_here", "purges_there", "without_others"]

_MANY = 2_000
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
    return without_others((stone for stone in own if refuse is None or refuse(stone) is None), objects)


def without_others(stones: Iterable[Tombstone], objects: ObjectDatabase) -> tuple[Tombstone, ...]:
    """Returns tombstones without what they say of objects that are in ``objects`` and are none of their task's."""
    all_of_them = tuple(stones)
    is_here = _presence(objects, sum(len(stone.objects) for stone in all_of_them))
    return tuple(_stripped(stone, objects, is_here) for stone in all_of_them)


def _presence(objects: ObjectDatabase, number: int) -> Callable[[Kind, str], bool]:
    """Returns what says whether an object is here; of so many, one listing tells it sooner than looking for each."""
    if number < _MANY:
        return objects.has
    known = {kind: frozenset(objects.ids(kind)) for kind in KINDS}
    return lambda kind, oid: oid in known[kind]


def _stripped(stone: Tombstone, objects: ObjectDatabase, is_here: Callable[[Kind, str], bool]) -> Tombstone:
    kept = tuple(
        f"{kind}/{oid}" for kind, oid in stone.nodes if not is_here(kind, oid) or _is_of(objects, kind, oid, stone.task)
    )
    roots = tuple(oid for oid in stone.roots if not is_here("commit", oid) or _may_begin(objects, oid, stone.task))
    return stone if (kept, roots) == (stone.objects, stone.roots) else replace(stone, objects=kept, roots=roots)


def _is_of(objects: ObjectDatabase, kind: Kind, oid: str, task: str) -> bool:
    """Returns whether an object that is here is of a task, by what it says itself.

    A component is of all tasks whose data trained it. A snapshot is of none, and may be of any.
    """
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
    """Returns whether a history of the task may begin with a commit that is here."""
    try:
        commit = objects.commit(oid)
    except Mu2netError:
        return False
    return commit.task == task and not commit.parents
