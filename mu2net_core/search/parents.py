"""Sampling a parent (Algorithm 1 of the papers, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log1p
from random import Random

from mu2net_core.errors import SearchError
from mu2net_core.objects import System
from mu2net_core.scoring import rank_key
from mu2net_core.search.plan import Member

__all__ = ["sample_parent", "usable"]


def sample_parent(
    active: Sequence[Member],
    others: Sequence[Member],
    selections: Mapping[str, int],
    rng: Random,
    *,
    weights: Mapping[str, float] | None = None,
) -> Member:
    """Returns the parent of the next child.

    The active population is visited by decreasing score (the newest first where scores tie), then all others in random
    order; each model m accepts with probability ``0.5 ** selections[m]``. If nobody accepts, any model is drawn
    uniformly.

    Args:
        active: models of the active task, oldest first.
        others: models of other tasks that this task may use, and the root models, which are candidates like them.
        selections: by model id, how often it was a parent for this task; missing means never.
        rng: consumed.
        weights: by model id, those of ``others`` among each other: the next to be visited is drawn in proportion to
            them. All are as likely if None.

    Raises:
        SearchError: there is no model at all to start from.
    """
    by_score = [member for _, member in sorted(enumerate(active), key=_score_then_age, reverse=True)]
    for member in [*by_score, *_shuffled(others, rng, weights or {})]:
        if rng.random() < 0.5 ** selections.get(member.id, 0):
            return member
    usable = [*active, *others]
    if not usable:
        raise SearchError("No parent to start from: the repository has no root model.", hint="Run: mu2net init")
    return usable[int(rng.random() * len(usable))]


def usable(system: System, task: str) -> tuple[list[Member], list[Member]]:
    """Returns the other tasks' models and the roots that ``task`` may use, each in a fixed order."""
    others = [
        Member(id=head.model_id, model=head.model)
        for name, head in sorted(system.heads.items())
        if name != task and head.model is not None and head.model_id is not None and system.may_use(task, head.model)
    ]
    roots = [Member(id=oid, model=model) for oid, model in sorted(system.roots.items()) if system.may_use(task, model)]
    return others, roots


def _score_then_age(place: tuple[int, Member]) -> tuple[tuple[bool, float], int]:
    age, member = place
    return rank_key(member.model.score), age


def _shuffled(members: Sequence[Member], rng: Random, weights: Mapping[str, float]) -> list[Member]:
    """Returns members in random order, the heavier the sooner: each is the next in proportion to its weight.

    These are the arrivals of independent processes at these rates (Efraimidis and Spirakis, 2006).
    """

    def arrival(member: Member) -> float:
        return -log1p(-rng.random()) / weights.get(member.id, 1.0)

    return [member for _, member in sorted(((arrival(member), member) for member in members), key=lambda pair: pair[0])]
