"""What was seen of a remote and is no longer kept in mind: somebody put it there, and it was taken out again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from mu2net_core.errors import Mu2netError
from mu2net_core.repo.core import MOST_STONES, Repository, Tombstone, entry_key, is_purge
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.history import ISOLATED, ancestry, contains
from mu2net_core.repo.remotes import Tracking

__all__ = ["first_of_each", "without_refused", "without_withdrawn"]

_MOST = 100
"""So many commits below a head are looked at for one that is not refused; each is judged with its whole history."""


def without_withdrawn(
    repo: Repository, tracking: Tracking, stones: Iterable[Tombstone], there: Collection[Tombstone]
) -> Iterator[Tombstone]:
    """Yields tombstones that were seen, without those that are gone though their purge was never seen to begin.

    A purge moves the head before it deletes anything. As long as it did not, its tombstones excuse nothing.

    Args:
        repo: where they are kept in mind.
        tracking: what was seen of the remote besides.
        stones: that were seen there.
        there: those that are there now.
    """
    begun: dict[str, bool] = {}
    for stone in stones:
        if stone not in there and stone.task not in begun:
            begun[stone.task] = _has_begun(repo, tracking, stone.task)
        if stone in there or begun[stone.task]:
            yield stone


def first_of_each(stones: Iterable[Tombstone]) -> Iterator[Tombstone]:
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


def without_refused(
    repo: Repository, tracking: Tracking, policy: Policy, is_there: Callable[[str], bool], tasks: Iterable[str]
) -> Tracking:
    """Returns what was seen of a remote without heads that are gone there and that the policy refuses.

    Somebody cleaned up: what was never to be taken over here is neither missed nor put back from here. What such a head
    had in it that is not refused, and is not ours yet, is kept in mind.

    Args:
        repo: the working copy.
        tracking: what was seen.
        policy: what may not be taken over.
        is_there: tells whether a key is there.
        tasks: whose heads to look at.
    """
    for task in tasks if policy.refuse is not None else ():
        state = tracking.heads.get(task)
        if state is not None and not is_there(entry_key(task, state.number)):
            with suppress(*ISOLATED):  # what is not here cannot be put back
                tracking = _without_refused(repo, tracking, policy, task, state.commit)
    return tracking


def _without_refused(repo: Repository, tracking: Tracking, policy: Policy, task: str, tip: str) -> Tracking:
    head = repo.refs.head(task)
    ours, refuse = None if head is None else head.commit, policy.refuse
    if refuse is None or refuse(tip, ours) is None:
        return tracking
    below = list(islice(ancestry(repo.objects, [tip]), _MOST))
    good = next((oid for oid in below if refuse(oid, ours) is None), None)
    if good is None and len(below) == _MOST:
        return tracking
    before = tracking.replaced.get(task)
    is_news = good is not None and (ours is None or not contains(repo.objects, ours, good))
    if good is not None and is_news and (before is None or contains(repo.objects, good, before)):
        tracking = replace(tracking, replaced={**tracking.replaced, task: good})
    return tracking.without_head(task)
