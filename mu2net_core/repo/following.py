"""Reading where a remote's heads are, and whether they continue what was seen of them before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from mu2net_core.errors import CorruptObjectError, Mu2netError, NotFoundError
from mu2net_core.objects import object_key
from mu2net_core.repo.closure import Node
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.losses import find_lost_heads
from mu2net_core.repo.purged import Tombstone
from mu2net_core.repo.refs import HeadState, entry_key
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.sight import Sight
from mu2net_core.repo.tracking import Tracking
from mu2net_core.repo.workers import Workers

__all__ = [
    "Found",
    "Replaced",
    "behind_error",
    "gap_error",
    "lost_there",
    "newest_heads",
    "replaced_heads",
    "replaced_names",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A head whose log is not the one that was seen any more: somebody went on where its end was lost."""

    state: HeadState


Found = HeadState | Replaced | Mu2netError | None
"""A head; None where there is none; what is wrong with it."""


def newest_heads(
    remote: RemoteRepository, tracking: Tracking, tasks: Iterable[str], numbers: Mapping[str, int]
) -> dict[str, Found]:
    """Returns where the heads of ``tasks`` are now; several are asked for at a time.

    Args:
        remote: whose heads.
        tracking: what was seen of it before: every entry since then must name the one before it.
        tasks: whose heads.
        numbers: of their newest entries, where a listing told; the others are probed for.
    """
    found: dict[str, Found] = {}
    with Workers[tuple[str, Found]]() as workers:
        for task in tasks:
            workers.submit(partial(_newest, remote, task, tracking.heads.get(task), numbers.get(task)))
        found.update(workers.results())
    return found


def replaced_heads(remote: RemoteRepository, tracking: Tracking, sight: Sight, tasks: Iterable[str]) -> frozenset[str]:
    """Returns those of ``tasks`` whose newest entry that was seen is there, but is another one; one read each."""
    with Workers[tuple[str, bool]]() as workers:
        for task in tasks:
            seen = tracking.heads.get(task)
            if seen is not None and entry_key(task, seen.number) in sight.keys:
                workers.submit(partial(_is_there, remote, seen))
        return frozenset(task for task, is_there in workers.results() if not is_there)


def replaced_names(remote: RemoteRepository, tracking: Tracking, sight: Sight) -> frozenset[str]:
    """Returns the keys of the tags and roots that were seen and are there, but name something else; one read each."""
    with Workers[tuple[str, bool]]() as workers:
        for key, oid in tracking.names.items():
            if key in sight.keys:
                workers.submit(partial(_names, remote, key, oid))
        return frozenset(key for key, is_same in workers.results() if not is_same)


def lost_there(
    objects: ObjectDatabase,
    remote: RemoteRepository,
    tracking: Tracking,
    stones: Sequence[Tombstone],
    sight: Sight,
    taken: Set[Node] = frozenset(),
) -> tuple[str, ...]:
    """Returns what is gone of the refs that were seen of ``remote``, and of what the heads need, in words.

    Where a head's commit is gone, its entry may be there and be another one, which does not need it: that is read.

    Args:
        objects: ours: they tell what heads need.
        remote: to look at.
        tracking: what was seen of it.
        stones: tombstones that were seen there.
        sight: what is there.
        taken: what purges took that no tombstone tells of.
    """
    lost = find_lost_heads(objects, tracking, stones, sight)
    doubtful = [task for task, state in tracking.heads.items() if ("commit", state.commit) in lost.objects]
    others = replaced_heads(remote, tracking, sight, set(doubtful) - lost.entries.keys())
    if others:
        left = {task: state for task, state in tracking.heads.items() if task not in others}
        lost = find_lost_heads(objects, replace(tracking, heads=left), stones, sight)
    return replace(lost, objects=lost.objects - taken).words


def behind_error(remote: RemoteRepository, lost: Iterable[str]) -> CorruptObjectError:
    """Returns the error for a remote that lost what was seen of it."""
    name = remote.remote.name
    return CorruptObjectError(
        f"The remote {name} ({remote.remote.url}) is behind what was seen of it: {', '.join(lost)} "
        f"{'is' if len(tuple(lost)) == 1 else 'are'} gone there. What it has beyond that was fetched.",
        hint=f"mu2net push {name} sends again what this copy has. From another copy that has it: "
        f"mu2net fsck --remote {name} --repair-from FOLDER",
    )


def gap_error(remote: RemoteRepository, task: str, missing: int) -> CorruptObjectError:
    """Returns the error for a log whose entry ``missing`` is not there, though there are later ones."""
    return _broken(remote, task, f"has a gap: {entry_key(task, missing)} is missing, though there are later entries")


def _newest(remote: RemoteRepository, task: str, seen: HeadState | None, number: int | None) -> tuple[str, Found]:
    try:
        if number is None:
            probed = remote.refs.head(task, known=seen.number if seen else 0)
            if probed is None or probed == seen:
                return task, probed
            number = probed.number
        return task, _followed(remote, task, seen, number)
    except CorruptObjectError as exc:
        return task, exc
    except NotFoundError as exc:
        return task, exc if seen is None else behind_error(remote, [f"entry {seen.number} of {task}"])


def _names(remote: RemoteRepository, key: str, oid: str) -> tuple[str, bool]:
    return key, remote.refs.read_id(key) == oid


def _is_there(remote: RemoteRepository, state: HeadState) -> tuple[str, bool]:
    return state.task, remote.refs.holds(state)


def _followed(remote: RemoteRepository, task: str, seen: HeadState | None, number: int) -> HeadState | Replaced:
    """Returns the entry ``number``, if the log leads to it from ``seen``; or if it is another one, but whole."""
    if seen is None:
        return _chained(remote, task, None, number, number)
    if number < seen.number:
        raise _broken(remote, task, f"ended at entry {seen.number} when it was last seen, and now at {number}")
    try:
        state = _chained(remote, task, seen.entry_hash, seen.number + 1, number) if number > seen.number else seen
        if state != seen or remote.refs.entry(task, number)[0] == seen:
            return state
    except CorruptObjectError:
        if remote.refs.entry(task, seen.number)[0] == seen:
            raise
    state = _chained(remote, task, None, 1, number)
    if not remote.store.exists(object_key("commit", state.commit)):
        hint = f"mu2net fsck --remote {remote.remote.name} --repair-from ."
        what = f"has another entry {number} than before, which names a commit that is not there"
        raise _broken(remote, task, what, hint=f"To put back what was seen: `{hint}`")
    return Replaced(state=state)


def _chained(remote: RemoteRepository, task: str, before: str | None, first: int, number: int) -> HeadState:
    """Returns the entry ``number`` after reading all from ``first`` on, each of which must name the one before it.

    What the ``first`` names is ``before``; None where that was not seen.
    """
    for current in range(first, number + 1):
        state, entry = remote.refs.entry(task, current)
        is_known = before is not None or current > first
        follows = entry.previous == before if is_known else (entry.previous is None) == (current == 1)
        if not follows:
            raise _broken(remote, task, f"is broken: entry {current} does not follow the one before it")
        before = state.entry_hash
    return state


def _broken(remote: RemoteRepository, task: str, what: str, *, hint: str | None = None) -> CorruptObjectError:
    return CorruptObjectError(
        f"The log of {task} on the remote {remote.remote.name} ({remote.remote.url}) {what}. Nothing of {task} was "
        "taken over.",
        hint=hint
        or "Run `mu2net push` in a copy that has the log whole, which sends it again; `mu2net fsck --remote "
        f"{remote.remote.name}` says what is wrong there. `mu2net merge` takes over what else was fetched.",
    )
