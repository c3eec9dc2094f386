"""What was purged on a remote, as it is kept in mind here: its tombstones, and where the heads were before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from mu2net_core.errors import Mu2netError
from mu2net_core.repo.core import MOST_STONES, HeadState, Repository, Tombstone, is_purge
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.history import ancestry, contains, is_at_purge
from mu2net_core.repo.remotes import RemoteRepository, Tracking, read_purged, read_tracking, write_purged

__all__ = ["note_purged", "remember_purged"]

_ANYTHING = Policy()


def note_purged(
    repo: Repository,
    remote: RemoteRepository,
    policy: Policy = _ANYTHING,
    tasks: Collection[str] | None = None,
) -> dict[str, Mu2netError]:
    """Stores what was purged over there, beyond what was known of that; what was withdrawn is forgotten.

    Tombstones of another repository count for nothing, nor do those that the policy refuses; fsck names them.

    Args:
        repo: where to.
        remote: where from.
        policy: what may not be taken over.
        tasks: of which; by default of those that have heads here or were seen to have some there.

    Returns:
        what is wrong with the tombstones of a task that has some which cannot be read.
    """
    tracking, seen = read_tracking(repo.state, remote.remote), read_purged(repo.state, remote.remote)
    if tasks is None:
        tasks = {*repo.refs.tasks(), *tracking.heads}
    there, bad = remote.refs.tombstones(tasks)
    stones = [stone for own in there.values() for stone in own]
    own = (stone for stone in stones if stone.identity == repo.identity)
    ours = [stone for stone in own if policy.refuse_stone is None or policy.refuse_stone(stone) is None]
    asked, present = {*tasks} - bad.keys(), frozenset(ours)
    gone = (one for one in seen if one.task in asked and one not in present)
    lasting = _without_withdrawn(repo, tracking, gone)
    known = dict.fromkeys([*ours, *(one for one in seen if one.task not in asked), *lasting])
    write_purged(
        repo.state, remote.remote, sorted(_first_of_each(known), key=lambda stone: (stone.task, stone.purged_at))
    )
    return bad


def remember_purged(
    repo: Repository, remote: RemoteRepository, tracking: Tracking, moved: Mapping[str, HeadState]
) -> Tracking:
    """Returns ``tracking`` with the heads of tasks that were purged over there: what it had of them."""
    purged = {stone.task for stone in read_purged(repo.state, remote.remote)}
    purged |= {task for task, state in moved.items() if is_at_purge(repo.objects, state.commit)}
    purged &= moved.keys() & tracking.heads.keys()
    left = {task: tracking.heads[task].commit for task in purged}
    known = {task: oid for task, oid in left.items() if repo.objects.has("commit", oid)}
    left = {task: oid for task, oid in known.items() if not contains(repo.objects, moved[task].commit, oid)}
    return replace(tracking, purged_heads={**tracking.purged_heads, **left}) if left else tracking


def _without_withdrawn(repo: Repository, tracking: Tracking, stones: Iterable[Tombstone]) -> Iterator[Tombstone]:
    """Yields tombstones that are gone, without those whose purge was never seen to begin.

    A purge moves the head before it deletes anything. As long as it did not, its tombstones excuse nothing.
    """
    begun: dict[str, bool] = {}
    for stone in stones:
        if stone.task not in begun:
            begun[stone.task] = _has_begun(repo, tracking, stone.task)
        if begun[stone.task]:
            yield stone


def _first_of_each(stones: Iterable[Tombstone]) -> Iterator[Tombstone]:
    """Yields of each task as many tombstones as are read of one: whoever replaces them again and again adds no more."""
    counts = Counter[str]()
    for stone in stones:
        counts[stone.task] += 1
        if counts[stone.task] <= MOST_STONES:
            yield stone


def _has_begun(repo: Repository, tracking: Tracking, task: str) -> bool:
    """Returns whether a task was seen to be purged, there or here, or may have been."""
    seen, ours = tracking.heads.get(task), repo.refs.head(task)
    tips = [state.commit for state in (seen, ours) if state is not None]
    tips += [tracking.replaced[task]] if task in tracking.replaced else []
    try:
        history = ancestry(repo.objects, tips)
        return task in tracking.purged_heads or any(is_purge(repo.objects.commit(oid)) for oid in history)
    except Mu2netError:
        return True  # what is not here may be a purge
