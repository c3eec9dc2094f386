"""Reading where a remote's heads are, and whether they continue what was seen of them before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial

from mu2net_core.errors import CorruptObjectError, Mu2netError, NotFoundError
from mu2net_core.repo.closure import Node
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.losses import find_lost_heads
from mu2net_core.repo.purged import Tombstone
from mu2net_core.repo.refs import HeadState, entry_key
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.sight import Sight
from mu2net_core.repo.tracking import Tracking
from mu2net_core.repo.workers import Workers

__all__ = ["Found", "behind_error", "gap_error", "lost_there", "newest_heads"]

Found = HeadState | Mu2netError | None
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
            seen, number = tracking.heads.get(task), numbers.get(task)
            if seen is not None and seen.number == number:
                found[task] = seen
            else:
                workers.submit(partial(_newest, remote, task, seen, number))
        found.update(workers.results())
    return found


def lost_there(
    objects: ObjectDatabase,
    remote: RemoteRepository,
    tracking: Tracking,
    stones: Sequence[Tombstone],
    sight: Sight,
    taken: Set[Node] = frozenset(),
) -> tuple[str, ...]:
    """Returns what is gone of the refs that were seen of ``remote``, and of what the heads need, in words.

    Where a head's commit is gone, its entry may be there and be another one: that is read.

    Args:
        objects: ours: they tell what heads need.
        remote: to look at.
        tracking: what was seen of it.
        stones: tombstones that were seen there.
        sight: what is there.
        taken: what purges took that no tombstone tells of.
    """
    lost = find_lost_heads(objects, tracking, stones, sight)
    heads = [state for task, state in sorted(tracking.heads.items()) if task not in lost.entries]
    others = [state for state in heads if ("commit", state.commit) in lost.objects and not remote.refs.holds(state)]
    gone = lost.objects - taken - {("commit", state.commit) for state in others}
    words = [f"entry {state.number} of {state.task} as it was" for state in others]
    return (*words, *replace(lost, objects=gone).words)


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


def _followed(remote: RemoteRepository, task: str, seen: HeadState | None, number: int) -> HeadState:
    """Returns the entry ``number``, if the log leads to it from ``seen``."""
    if seen is not None and number <= seen.number:
        what = f"ended at entry {seen.number} when it was last seen, and now at {number}"
        raise _broken(remote, task, what if number < seen.number else f"has another entry {number} than before")
    before = seen.entry_hash if seen is not None else None
    for current in range(seen.number + 1 if seen is not None else number, number + 1):
        state, entry = remote.refs.entry(task, current)
        follows = entry.previous == before if seen is not None else (entry.previous is None) == (current == 1)
        if not follows:
            raise _broken(remote, task, f"is broken: entry {current} does not follow the one before it")
        before = state.entry_hash
    return state


def _broken(remote: RemoteRepository, task: str, what: str) -> CorruptObjectError:
    return CorruptObjectError(
        f"The log of {task} on the remote {remote.remote.name} ({remote.remote.url}) {what}. Nothing of {task} was "
        "taken over.",
        hint="Run `mu2net push` in a copy that has the log whole, which sends it again; `mu2net fsck --remote "
        f"{remote.remote.name}` says what is wrong there. `mu2net merge` takes over what else was fetched.",
    )
