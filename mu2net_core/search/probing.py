"""Probing: what others' layers are worth to a new task before anything is trained, as weights of sampling parents.

Which model a new task should begin from is a matter of chance in the papers. A linear probe (Alain and Bengio, 2017) of
what a model's layers make of some training examples costs less than a cycle of training and tells much of it. The first
child begins from the best; for all others what was found is a weight: every candidate can still be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from mu2net_core.objects import System
from mu2net_core.search.parents import usable
from mu2net_core.search.plan import Member
from mu2net_core.seeds import rng

__all__ = ["best_probed", "probed_weights", "to_probe"]

_HALVED_BY = 0.02
"""A candidate that is worse by so much of the probe's accuracy is half as likely to come first."""


def to_probe(system: System, task: str, *, most: int, seed: int) -> tuple[Member, ...]:
    """Returns up to ``most`` models that ``task`` may begin from, roots included, drawn at random.

    Args:
        system: the newest image of the system.
        task: the active task.
        most: how many, at most.
        seed: decides which.
    """
    others, roots = usable(system, task)
    draw = rng(seed, "probes")
    ranked = sorted((draw.random(), place) for place in range(len(others) + len(roots)))
    known = (*others, *roots)
    return tuple(known[place] for _, place in ranked[:most])


def best_probed(candidates: Sequence[Member], found: Mapping[str, float]) -> Member | None:
    """Returns the candidate whose probe was the best, the first of equals; None if none was probed.

    Args:
        candidates: to choose from.
        found: by model id, the accuracy of its probe.
    """
    return max((member for member in candidates if member.id in found), key=lambda one: found[one.id], default=None)


def probed_weights(candidates: Sequence[Member], found: Mapping[str, float]) -> dict[str, float]:
    """Returns the weight of each candidate by its id, at most 1; without any probe all weigh the same.

    A candidate that was not probed weighs as much as those that were do on average.

    Args:
        candidates: to be sampled from.
        found: by model id, the accuracy of its probe.
    """
    known = {member.id: found[member.id] for member in candidates if member.id in found}
    if not known:
        return {member.id: 1.0 for member in candidates}
    best = max(known.values())
    weights = {oid: 0.5 ** ((best - accuracy) / _HALVED_BY) for oid, accuracy in known.items()}
    usual = fmean(weights.values())
    return {member.id: weights.get(member.id, usual) for member in candidates}
