"""Mutations: which ones a parent can undergo, and drawing a set of them (papers, section 3.3).

Every candidate δ is applied independently with its own probability µ(δ). Each µ(δ) starts at the hyperparameter
``mu``, is inherited, and is itself moved along mu's list with probability µ(δ): the learned µ(δ|m) of µ2Net+.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random

from mu2net_core.objects import Hyperparameter, Model, Mutation
from mu2net_core.search.plan import ChildPlan, Member
from mu2net_core.search.space import MU, SearchSpace, neighbour

__all__ = ["candidates", "mutate", "rate"]


def candidates(parent: Model, space: SearchSpace, always_trainable: Collection[str]) -> tuple[str, ...]:
    """Returns the names δ of the mutations ``parent`` can undergo, sorted.

    ``clone:<component>`` for each component that is not trained in any case, ``hp:<name>`` for each hyperparameter
    with somewhere to go.
    """
    clones = [f"clone:{ref.name}" for ref in parent.components if ref.name not in always_trainable]
    moves = [f"hp:{name}" for name in space.movable]
    return tuple(sorted(clones + moves))


def rate(parent: Model, mutation: str, space: SearchSpace) -> float:
    """Returns µ(δ|m): the probability that ``parent``'s children undergo ``mutation``."""
    own = parent.mutation_rates.get(mutation)
    return float(parent.hyperparameters.get(MU, space.defaults[MU])) if own is None else own


def mutate(parent: Member, space: SearchSpace, always_trainable: Collection[str], rng: Random, seed: int) -> ChildPlan:
    """Returns a child of ``parent`` with a freshly drawn set of mutations.

    Args:
        parent: the model to mutate.
        space: where hyperparameters may move.
        always_trainable: components every child trains, whatever is drawn.
        rng: consumed.
        seed: stored in the plan for the engine's own draws.
    """
    model = parent.model
    hyperparameters: dict[str, Hyperparameter] = {**space.defaults, **model.hyperparameters}
    rates = dict(model.mutation_rates)
    clones: set[str] = set()
    applied: list[Mutation] = []
    for name in candidates(model, space, always_trainable):
        probability = rate(model, name, space)
        hit, move_rate = rng.random() < probability, rng.random() < probability
        if hit:
            applied += _apply(name, hyperparameters, clones, space, rng)
        if move_rate:
            applied += _move_rate(name, probability, rates, space, rng)
    return ChildPlan(
        parent=parent,
        clones=frozenset(clones),
        hyperparameters=hyperparameters,
        mutation_rates=rates,
        mutations=tuple(applied),
        seed=seed,
    )


def _apply(
    mutation: str, hyperparameters: dict[str, Hyperparameter], clones: set[str], space: SearchSpace, rng: Random
) -> list[Mutation]:
    kind, _, name = mutation.partition(":")
    if kind == "clone":
        clones.add(name)
        return [Mutation(name=mutation)]
    return _move(mutation, name, hyperparameters, space.values[name], rng)


def _move_rate(
    mutation: str, probability: float, rates: dict[str, float], space: SearchSpace, rng: Random
) -> list[Mutation]:
    moved = {mutation: probability}
    changed = _move(f"{MU}:{mutation}", mutation, moved, space.values[MU], rng)
    if changed:
        rates[mutation] = float(moved[mutation])
    return changed


def _move(
    label: str, name: str, values: Mapping[str, Hyperparameter], choices: tuple[Hyperparameter, ...], rng: Random
) -> list[Mutation]:
    before = values[name]
    after = neighbour(before, choices, rng)
    values[name] = after  # type: ignore[index]
    return [] if after == before else [Mutation(name=label, before=before, after=after)]
