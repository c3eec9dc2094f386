"""What was seen of a remote and is no longer kept in mind: somebody put it there, and it was taken out again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from mu2net_core.repo.core import Repository, entry_key
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.history import ISOLATED, ancestry, contains
from mu2net_core.repo.remotes import Tracking

__all__ = ["without_refused"]

_MOST = 100
"""So many commits below a head are looked at for one that is not refused; each is judged with its whole history."""


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
