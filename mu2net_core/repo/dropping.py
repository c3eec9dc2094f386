"""What becomes here of a task that was purged on a remote, or there of one that was purged here.

A tombstone is only believed as far as it costs nothing that is not over there: what the remote was seen to have had
goes, work that it never had stays, and the user is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Commit
from mu2net_core.repo.closure import Node
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.losses import needed
from mu2net_core.repo.merge import ancestry, contains
from mu2net_core.repo.outcomes import TaskReport
from mu2net_core.repo.place import here
from mu2net_core.repo.purge import follow
from mu2net_core.repo.purged import Purged, Tombstone, is_purge
from mu2net_core.repo.reach import Tips, reach, ref_tips
from mu2net_core.repo.refs import HeadState
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.sight import Sight
from mu2net_core.repo.tracking import Tracking

__all__ = ["drop_purged", "left_alone", "presumed", "purged_here"]

_UNFINISHED = (
    "its purge from {remote} is under way: pull again later. If it stays so: mu2net fsck --remote {remote} tells why"
)
_REASON = "it was purged here; purge it there, too: mu2net rm-task {task} --purge --remote {remote}"


def drop_purged(
    repo: Repository,
    tracking: Tracking,
    task: str,
    *,
    here_purged: Purged,
    stones: Iterable[Tombstone],
    remote: str,
    now: str,
    also: Callable[[], Tips] = Tips,
) -> TaskReport | None:
    """Drops a task here that was purged on a remote; returns what became of it, None if its heads can be joined.

    Args:
        repo: where.
        tracking: what is known of the remote, the task's head included.
        task: the task.
        here_purged: what was purged here.
        stones: tombstones of the remote.
        remote: the remote's name.
        now: when, for the tombstones here.
        also: returns what else of the repository is needed.
    """
    objects, theirs = repo.objects, tracking.heads[task].commit
    reason = purged_here(repo, here_purged, task, theirs, remote)
    if reason is not None:
        return TaskReport(task=task, outcome="skipped", reason=reason)
    own = [_believed(repo, stone) for stone in stones if stone.task == task]
    ours = repo.refs.head(task)
    if ours is None or Purged(own).covers_commit(objects, ours.commit) is None:
        return None
    purge = next((oid for oid in ancestry(objects, [theirs]) if is_purge(objects.commit(oid))), None)
    if purge is None:
        return TaskReport(task=task, outcome="skipped", reason=_UNFINISHED.format(remote=remote))
    had = tracking.purged_heads.get(task)
    if had is None or not contains(objects, had, ours.commit):
        reason = f"it was purged from {remote}, and here is work on it that was never there: it stays, and is not sent"
        return TaskReport(task=task, outcome="skipped", reason=f"{reason} (mu2net rm-task {task} --purge drops it)")
    own = _spared(repo, task, own)
    follow(here(repo), task, own, purge, now=now or own[-1].purged_at, also=partial(_also, also, theirs))
    return TaskReport(task=task, outcome="removed", commit=purge, reason=f"it was purged from {remote}")


def presumed(repo: Repository, remote: RemoteRepository, tracking: Tracking, sight: Sight) -> frozenset[Node]:
    """Returns what purges took over there that no tombstone tells of any more: heads moved on to purge commits.

    Args:
        repo: where it may still be.
        remote: where heads and commits are read.
        tracking: what was seen of it before.
        sight: what is there now.
    """
    moved = {
        task
        for task, state in tracking.heads.items()
        if not sight.has(("commit", state.commit))
        and _moved_to_purge(remote, state, sight.numbers.get(task, frozenset()))
    }
    if not moved:
        return frozenset()
    nothing, heads = Purged(), tracking.heads
    others: list[Node] = [("commit", state.commit) for task, state in heads.items() if task not in moved]
    others += [("model", oid) for oid in tracking.roots.values()]
    taken = needed(repo.objects, [("commit", heads[task].commit) for task in moved], nothing)
    return frozenset(taken - needed(repo.objects, others, nothing))


def _moved_to_purge(remote: RemoteRepository, state: HeadState, numbers: Iterable[int]) -> bool:
    """Returns whether an entry that came after ``state`` is a purge's."""
    for number in sorted(number for number in numbers if number > state.number):
        with suppress(Mu2netError):
            if is_purge(remote.objects.commit(remote.refs.entry(state.task, number)[0].commit)):
                return True
    return False


def purged_here(repo: Repository, purged: Purged, task: str, theirs: str, remote: str) -> str | None:
    """Returns why a remote's head ``theirs`` is left alone: its history was purged here; None if it was not.

    Of a task purged here nothing is fetched that continues what was purged, so that such a head may not be here.
    """
    gone = task in purged.tasks and not repo.objects.has("commit", theirs)
    if not gone and purged.covers_commit(repo.objects, theirs) is None:
        return None
    return _REASON.format(task=task, remote=remote)


class _Nearest:
    """Looks commits up here, and only those that are not here over there."""

    def __init__(self, near: ObjectDatabase, far: ObjectDatabase) -> None:
        self._near, self._far = near, far

    def commit(self, oid: str) -> Commit:
        """Returns a commit."""
        return (self._near if self._near.has("commit", oid) else self._far).commit(oid)


def left_alone(repo: Repository, remote: RemoteRepository, states: Mapping[str, HeadState]) -> dict[str, TaskReport]:
    """Returns reports of the heads that continue what was purged here: nothing of them is fetched."""
    purged, name = Purged.read(repo.refs), remote.remote.name
    reports, nearest = {}, _Nearest(repo.objects, remote.objects)
    for task in sorted(purged.tasks & states.keys()):
        if purged.covers_commit(nearest, states[task].commit) is not None:
            reports[task] = TaskReport(task=task, outcome="skipped", reason=_REASON.format(task=task, remote=name))
    return reports


def _also(also: Callable[[], Tips], theirs: str) -> Tips:
    """Returns what else must stay: the purge commit, too, and what came after it."""
    tips = also()
    return replace(tips, commits=tips.commits - {theirs}, others=tips.others | {("commit", theirs)})


def _believed(repo: Repository, stone: Tombstone) -> Tombstone:
    """Returns a tombstone without what it says of commits that are none of the task's history here."""
    known = (oid for oid in stone.roots if repo.objects.has("commit", oid))
    return replace(stone, roots=tuple(oid for oid in known if repo.objects.commit(oid).task == stone.task))


def _spared(repo: Repository, task: str, stones: Iterable[Tombstone]) -> list[Tombstone]:
    """Returns tombstones of a task without the objects that other tasks need here: none of these may be missing."""
    place, purged = here(repo), Purged.read(repo.refs)
    needed = reach(place, ref_tips(place, purged, without=task), purged, spared=task)
    kept = {f"{kind}/{oid}" for kind, oid in needed}
    return [replace(stone, objects=tuple(text for text in stone.objects if text not in kept)) for stone in stones]
