"""What becomes here of a task that was purged on a remote, or there of one that was purged here.

A tombstone is only believed as far as it costs nothing that is not over there: what the remote was seen to have had
goes, work that it never had stays, and the user is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from mu2net_core.repo.merge import ancestry, contains
from mu2net_core.repo.outcomes import TaskReport
from mu2net_core.repo.place import here
from mu2net_core.repo.purge import follow
from mu2net_core.repo.purged import Purged, Tombstone, is_purge
from mu2net_core.repo.reach import Tips
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import Tracking

__all__ = ["drop_purged"]


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
    if here_purged.covers_commit(objects, theirs) is not None:
        reason = f"it was purged here; purge it there, too: mu2net rm-task {task} --purge --remote {remote}"
        return TaskReport(task=task, outcome="skipped", reason=reason)
    own = [_believed(repo, stone) for stone in stones if stone.task == task]
    ours = repo.refs.head(task)
    if ours is None or Purged(own).covers_commit(objects, ours.commit) is None:
        return None
    purge = next((oid for oid in ancestry(objects, [theirs]) if is_purge(objects.commit(oid))), None)
    if purge is None:
        return TaskReport(task=task, outcome="skipped", reason=f"it is being purged from {remote}; pull again later")
    had = tracking.purged_heads.get(task)
    if had is None or not contains(objects, had, ours.commit):
        reason = f"it was purged from {remote}, and here is work on it that was never there: it stays, and is not sent"
        return TaskReport(task=task, outcome="skipped", reason=f"{reason} (mu2net rm-task {task} --purge drops it)")
    follow(here(repo), task, own, purge, now=now or own[-1].purged_at, also=partial(_also, also, theirs))
    return TaskReport(task=task, outcome="removed", commit=purge, reason=f"it was purged from {remote}")


def _also(also: Callable[[], Tips], theirs: str) -> Tips:
    """Returns what else must stay: the purge commit, too, and what came after it."""
    tips = also()
    return replace(tips, commits=tips.commits - {theirs}, others=tips.others | {("commit", theirs)})


def _believed(repo: Repository, stone: Tombstone) -> Tombstone:
    """Returns a tombstone without what it says of commits that are none of the task's history here."""
    known = (oid for oid in stone.roots if repo.objects.has("commit", oid))
    return replace(stone, roots=tuple(oid for oid in known if repo.objects.commit(oid).task == stone.task))
