"""A search method that learns from every child, the discarded ones too: which learning rates work for this task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from mu2net_core.objects import Hyperparameter, Mutation, System, Trial
from mu2net_core.search import MU2NET_PLUS, ChildPlan, SearchSpace, SearchState, Structure
from mu2net_core.seeds import rng

_RATE = "learning_rate"
_EXPLORE = 0.2


def ask(
    state: SearchState, system: System, space: SearchSpace, /, *, num_children: int, structure: Structure, seed: int
) -> tuple[tuple[ChildPlan, ...], SearchState]:
    """Returns what the papers' method plans, with learning rates that are mostly the best so far."""
    plans, state = MU2NET_PLUS.ask(state, system, space, num_children=num_children, structure=structure, seed=seed)
    worth = _worth((*state.before, *state.trials))
    return tuple(_with_rate(plan, _choose(plan, space, worth)) for plan in plans), state


def tell(state: SearchState, trials: Sequence[Trial], /) -> SearchState:
    """Returns the state as it is: the trials are in it, and all that is learned follows from them."""
    del trials
    return state


def _worth(trials: Sequence[Trial]) -> dict[object, float]:
    """Returns by learning rate what its children came to on average; those that diverged came to nothing."""
    scores: dict[object, list[float]] = {}
    for trial in trials:
        scores.setdefault(trial.values.get(_RATE), []).append(trial.score or 0.0)
    return {rate: fmean(found) for rate, found in scores.items()}


def _choose(plan: ChildPlan, space: SearchSpace, worth: dict[object, float]) -> Hyperparameter:
    draw, known = rng(plan.seed, "rate"), [rate for rate in space.values[_RATE] if rate in worth]
    if not known or draw.random() < _EXPLORE:
        return space.values[_RATE][int(draw.random() * len(space.values[_RATE]))]
    return max(known, key=lambda rate: worth[rate])


def _with_rate(plan: ChildPlan, rate: Hyperparameter) -> ChildPlan:
    before = plan.parent.model.hyperparameters.get(_RATE)
    told = [mutation for mutation in plan.mutations if mutation.name != f"hp:{_RATE}"]
    if rate != before:
        told.append(Mutation(name=f"hp:{_RATE}", before=before, after=rate))
    return replace(plan, hyperparameters={**plan.hyperparameters, _RATE: rate}, mutations=tuple(told))
