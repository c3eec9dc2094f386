"""Reading where a remote's heads are, and whether they continue what was seen of them before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from mu2net_core.errors import CorruptObjectError, Mu2netError, NotFoundError
from mu2net_core.repo.refs import HeadState, entry_key
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.tracking import Tracking
from mu2net_core.repo.workers import Workers

__all__ = ["Found", "gap_error", "is_same_remote", "newest_heads"]

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


def is_same_remote(remote: RemoteRepository, tracking: Tracking) -> bool:
    """Returns whether ``tracking`` was noted from the repository that is there now: one entry is read to see."""
    noted = next((tracking.heads[task] for task in sorted(tracking.heads)), None)
    if noted is None:
        return True
    try:
        found, _ = remote.refs.entry(noted.task, noted.number)
    except NotFoundError:
        return False
    return found == noted


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
    except (CorruptObjectError, NotFoundError) as exc:
        return task, exc


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
        hint="Run `mu2net fsck` there. `mu2net merge` takes over what else was fetched.",
    )
