"""What becomes here of a task that was purged on a remote, or there of one that was purged here.

Whoever may write to a remote can purge there. So by default nothing goes here because of that: the task stays, is not
sent there, and the user is told what drops it. Who lets purges be followed gets what the remote was seen to have had
set aside; work that it never had, and what a tag here names or an iteration uses, stays in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Commit
from mu2net_core.repo.core import HeadState, ObjectDatabase, Purged, Repository, Tombstone, is_purge
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.losses import needed
from mu2net_core.repo.history import ancestry, by_whom, contains, is_at_purge
from mu2net_core.repo.remotes import Node, RemoteRepository, Sight, TaskReport, Tracking, believed, purges_here
from mu2net_core.repo.upkeep import GRACE, Tips, follow, here, reach, ref_tips, set_aside

__all__ = ["drop_purged", "left_alone", "presumed", "purged_here"]

_UNFINISHED = (
    "its purge from {remote} is under way: pull again later. If it stays so: mu2net fsck --remote {remote} tells why"
)
_REASON = "it was purged here; purge it there, too: mu2net rm-task {task} --purge --remote {remote}"
_KEPT = "{what}; here it stays, and is not sent there. To drop it here, too: mu2net rm-task {task} --purge"


def drop_purged(
    repo: Repository,
    tracking: Tracking,
    task: str,
    *,
    here_purged: Purged,
    stones: Iterable[Tombstone],
    remote: str,
    policy: Policy,
    also: Callable[[], Tips] = Tips,
) -> TaskReport | None:
    """Says what becomes here of a task that was purged on a remote; None if its heads can be joined.

    Args:
        repo: where.
        tracking: what is known of the remote, the task's head included.
        task: the task.
        here_purged: what was purged here.
        stones: tombstones of the remote.
        remote: the remote's name.
        policy: whether purges of others are followed, and which tombstones count.
        also: returns what else of the repository is needed.
    """
    objects, theirs = repo.objects, tracking.heads[task].commit
    reason = purged_here(repo, here_purged, task, theirs, remote)
    if reason is not None:
        return _skipped(task, reason)
    ours = repo.refs.head(task)
    if ours is None:
        return None
    named = (stone for stone in stones if stone.task == task)
    own = believed(named, objects, repo.identity, policy.refuse_stone)
    is_covered = Purged(own).covers_commit(objects, ours.commit) is not None
    beyond = ancestry(objects, [theirs], without=None if is_covered else ours.commit)
    purge = next((oid for oid in beyond if is_purge(objects.commit(oid))), None)
    if not (is_covered or _is_news(repo, here_purged, ours, theirs, purge)):
        return None
    if purge is None:
        return _skipped(task, _UNFINISHED.format(remote=remote))
    follow_it = is_covered and policy.follow_purges
    reason = _why_kept(repo, tracking, ours, remote=remote, follow=follow_it, also=also)
    if reason is not None:
        commit = objects.commit(purge)
        who = "" if commit.agent is None else f" {by_whom(commit)}"
        what = f"it was purged from {remote}{who} on {commit.finished_at[:10]}{reason}"
        return _skipped(task, _KEPT.format(what=what, task=task))
    own, now = _spared(repo, task, own), policy.now or own[-1].purged_at
    set_aside(repo, task, tip=ours.commit, purge=purge, now=now)
    staying = partial(_also, also, theirs)
    follow(here(repo), task, own, purge, now=now, also=staying, sign=policy.sign_stone)
    reason = (
        f"it was purged from {remote}, and is set aside here for {GRACE.days} days: mu2net rm-task {task} --undo "
        "brings it back"
    )
    return TaskReport(task=task, outcome="removed", commit=purge, reason=reason)


def _is_news(repo: Repository, here_purged: Purged, ours: HeadState, theirs: str, purge: str | None) -> bool:
    """Returns whether a purge commit is none that a task here knows of: nothing is joined with it that it would hide.

    A task that was purged here, too, is joined with what became of it there; so is one all of whose work goes on there.
    """
    if purge is None or ours.task in here_purged.tasks:
        return False
    return not (contains(repo.objects, ours.commit, purge) or contains(repo.objects, theirs, ours.commit))


def _skipped(task: str, reason: str) -> TaskReport:
    return TaskReport(task=task, outcome="skipped", reason=reason)


def _why_kept(
    repo: Repository,
    tracking: Tracking,
    ours: HeadState,
    *,
    remote: str,
    follow: bool,
    also: Callable[[], Tips],
) -> str | None:
    """Returns why a task is not dropped that was purged on a remote, to be said after that; None if it is."""
    if not follow:
        return ""
    objects, task = repo.objects, ours.task
    had = tracking.purged_heads.get(task)
    if had is None or not contains(objects, had, ours.commit):
        return f", and here is work on it that was never on {remote}"
    for name, snapshot_id in sorted(repo.refs.tags().items()):
        commit = objects.snapshot(snapshot_id).heads.get(task)
        if commit is not None and objects.has("commit", commit) and not is_at_purge(objects, commit):
            return f", and the tag {name} here names it"
    used = (oid for kind, oid in also().others if kind == "commit" and objects.has("commit", oid))
    if any(objects.commit(oid).task == task for oid in used):
        return ", and an iteration of it is not finished here"
    return None


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
    purged, name = purges_here(repo), remote.remote.name
    reports, nearest = {}, _Nearest(repo.objects, remote.objects)
    for task in sorted(purged.tasks & states.keys()):
        if purged.covers_commit(nearest, states[task].commit) is not None:
            reports[task] = TaskReport(task=task, outcome="skipped", reason=_REASON.format(task=task, remote=name))
    return reports


def _also(also: Callable[[], Tips], theirs: str) -> Tips:
    """Returns what else must stay: the purge commit, too, and what came after it."""
    tips = also()
    return replace(tips, faded=tips.faded - {theirs}, others=tips.others | {("commit", theirs)})


def _spared(repo: Repository, task: str, stones: Iterable[Tombstone]) -> tuple[Tombstone, ...]:
    """Returns tombstones of a task without the objects that other tasks need here: none of these may be missing."""
    place, purged = here(repo), here(repo).purged()
    needed = reach(place, ref_tips(place, purged, without=task), purged, spared=task)
    kept = {f"{kind}/{oid}" for kind, oid in needed}
    return tuple(replace(stone, objects=tuple(text for text in stone.objects if text not in kept)) for stone in stones)
