"""Random search, the baseline that evolution has to beat: every child is a fresh start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random

from mu2net_core.objects import Hyperparameter, Mutation, System
from mu2net_core.search.holdings import Holdings
from mu2net_core.search.mutations import clonable
from mu2net_core.search.parents import sample_parent, usable
from mu2net_core.search.plan import ChildPlan, Member
from mu2net_core.search.population import Population
from mu2net_core.search.space import MU, SearchSpace, nearest
from mu2net_core.search.structure import Structure
from mu2net_core.seeds import derive_seed, rng

__all__ = ["ask_random"]


def ask_random(
    population: Population,
    system: System,
    space: SearchSpace,
    *,
    num_children: int,
    structure: Structure,
    seed: int,
) -> tuple[tuple[ChildPlan, ...], Population]:
    """Returns plans for one generation, like ``ask``, that owe nothing to earlier ones; and the counted population.

    Each child trains every layer of a root. Its hyperparameters are drawn uniformly from their lists, those of how
    examples are prepared once for all children.
    """
    _, roots = usable(system, population.task)
    holdings = Holdings(task=population.task)  # whoever holds a root, it is no task's own
    counts = dict(population.selections)
    still = {name: value for name, value in space.defaults.items() if name in space.shared}
    shared = {**still, **_drawn(space.shared.intersection(space.movable), space, rng(seed, "preparation"))}
    plans: list[ChildPlan] = []
    for child in range(num_children):
        draw = rng(seed, "child", child)
        root = sample_parent((), roots, {}, draw)
        counts[root.id] = counts.get(root.id, 0) + 1
        values = {**_drawn(set(space.movable) - space.shared, space, draw), **shared}
        plans.append(_plan(root, space, structure, holdings, values, derive_seed(seed, "train", child)))
    return tuple(plans), replace(population, selections=counts)


def _drawn(names: Iterable[str], space: SearchSpace, draw: Random) -> dict[str, Hyperparameter]:
    return {name: space.values[name][int(draw.random() * len(space.values[name]))] for name in sorted(names)}


def _plan(
    root: Member,
    space: SearchSpace,
    structure: Structure,
    holdings: Holdings,
    values: Mapping[str, Hyperparameter],
    seed: int,
) -> ChildPlan:
    before = {**space.defaults, **root.model.hyperparameters}
    clones = clonable(root.model, structure, holdings)
    entered = {name: nearest(before[name], known) for name, known in space.values.items() if name != MU}
    held = {**entered, **values}
    moves = [
        Mutation(name=f"hp:{name}", before=before[name], after=value)
        for name, value in held.items()
        if value != before[name]
    ]
    return ChildPlan(
        parent=root,
        clones=frozenset(clones),
        hyperparameters=structure.settled({**before, **held}),
        mutation_rates=root.model.mutation_rates,
        mutations=(*(Mutation(name=f"clone:{name}") for name in clones), *moves),
        seed=seed,
    )
