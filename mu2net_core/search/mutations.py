"""Mutations: which ones a parent can undergo, and drawing a set of them (papers, section 3.3).

Every candidate δ is applied independently with its own probability µ(δ). Each µ(δ) starts at the hyperparameter
``mu`` and is inherited: the learned µ(δ|m) of µ2Net+. It is itself moved along mu's list with probability ``mu``,
before it decides: the moved value is that of this child, so that selection acts on it.

How examples are prepared is drawn once per generation, from the best model, and shared by its children; all else is
drawn per child. ``copied_whole`` is what a search can begin with: a child that nothing was drawn for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from mu2net_core.objects import Hyperparameter, Model, Mutation
from mu2net_core.search.holdings import Holdings
from mu2net_core.search.kinship import Kinship
from mu2net_core.search.plan import ChildPlan, Member, Merging, Partner
from mu2net_core.search.space import COPY_ALL, MU, SearchSpace, nearest, neighbour
from mu2net_core.search.structure import Structure

__all__ = [
    "Preparation",
    "as_it_is",
    "candidates",
    "clonable",
    "copied_whole",
    "draw_preparation",
    "mutate",
    "rate",
    "usual_preparation",
]


_NO_KIN = Kinship()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How one generation prepares its examples: the values of hyperparameters, and µ(δ) of their moves by δ."""

    values: Mapping[str, Hyperparameter] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)


def candidates(
    parent: Model, space: SearchSpace, structure: Structure, holdings: Holdings, kinship: Kinship = _NO_KIN
) -> tuple[str, ...]:
    """Returns the names δ of the mutations ``parent`` can undergo, sorted.

    ``clone:<component>`` for each component that is not trained in any case (``clonable``), ``hp:<name>`` for each
    hyperparameter with somewhere to go, ``add:<...>`` and ``grow:<...>`` for each change of structure,
    ``merge:<component>`` for each that can be merged with one of another model, ``cross:<component>`` for each whose
    place one of another architecture can take.
    """
    clones = [f"clone:{name}" for name in clonable(parent, structure, holdings)]
    moves = [f"hp:{name}" for name in space.movable]
    partners, changes = _partners(parent, structure, kinship), _changes(parent, space, structure)
    return tuple(sorted([*clones, *moves, *partners, *changes]))


def clonable(parent: Model, structure: Structure, holdings: Holdings) -> tuple[str, ...]:
    """Returns the components of ``parent`` that a child can share: those that it does not train in any case.

    Every child trains some layers. A layer whose numbers are still as they were drawn holds nothing worth sharing:
    whoever inherits it trains it. And a layer that is the active task's alone is trained on, as in the code behind the
    papers' figures (their text would freeze it): nobody else stands on it.
    """
    names = (ref.name for ref in parent.components if not ref.is_untrained and not holdings.owns(parent, ref))
    return tuple(name for name in names if name not in structure.always_trainable)


def rate(parent: Model, mutation: str, space: SearchSpace) -> float:
    """Returns µ(δ|m): the probability that ``parent``'s children undergo ``mutation``."""
    own = parent.mutation_rates.get(mutation)
    return float(parent.hyperparameters.get(MU, space.defaults[MU])) if own is None else own


def _moved_rate(parent: Model | None, mutation: str, space: SearchSpace, rng: Random) -> float:
    """Returns µ(δ) of a child of ``parent``, None for one of the defaults: the parent's, moved with probability mu."""
    mu = float(space.defaults[MU] if parent is None else parent.hyperparameters.get(MU, space.defaults[MU]))
    before = mu if parent is None else rate(parent, mutation, space)
    return float(neighbour(before, space.values[MU], rng)) if rng.random() < mu else before


def usual_preparation(space: SearchSpace) -> Preparation:
    """Returns how examples are prepared by default, with the µ(δ) that moves begin with."""
    return Preparation(
        values={name: default for name, default in space.defaults.items() if name in space.shared},
        rates={f"hp:{name}": float(space.defaults[MU]) for name in sorted(space.shared.intersection(space.movable))},
    )


def draw_preparation(leader: Model | None, space: SearchSpace, rng: Random) -> Preparation:
    """Returns how the next generation prepares its examples: moved from what ``leader`` does, each with its µ(δ).

    Args:
        leader: the best model so far; None starts from the space's defaults.
        space: where hyperparameters may move.
        rng: consumed.
    """
    inherited = {} if leader is None else leader.hyperparameters
    values = {
        name: nearest(inherited.get(name, default), space.values[name])
        for name, default in space.defaults.items()
        if name in space.shared
    }
    rates: dict[str, float] = {}
    for name in sorted(space.shared.intersection(space.movable)):
        mutation = f"hp:{name}"
        rates[mutation] = _moved_rate(leader, mutation, space, rng)
        if rng.random() < rates[mutation]:
            values[name] = neighbour(values[name], space.values[name], rng)
    return Preparation(values=values, rates=rates)


def mutate(
    parent: Member,
    space: SearchSpace,
    structure: Structure,
    holdings: Holdings,
    preparation: Preparation,
    rng: Random,
    seed: int,
    given: Mapping[str, Hyperparameter] | None = None,
    kinship: Kinship = _NO_KIN,
) -> ChildPlan:
    """Returns a child of ``parent`` with a freshly drawn set of mutations.

    Args:
        parent: the model to mutate.
        space: where hyperparameters may move.
        structure: the architecture's part in it.
        holdings: which layers are the active task's own.
        preparation: of the child's generation.
        rng: consumed.
        seed: stored in the plan for the engine's own draws.
        given: values of hyperparameters that are decided already, and so move no more; None if there are none. How
            examples are prepared ``preparation`` says alone.
        kinship: which layers can be merged with those of other models.
    """
    draft = _Draft(parent.model, space, structure, kinship)
    decided = {f"hp:{name}": value for name, value in (given or {}).items() if name not in preparation.values}
    copied = _copied(parent.model, space, clonable(parent.model, structure, holdings), rng)
    for name in candidates(parent.model, space, structure, holdings, kinship):
        if name in preparation.rates or name in decided or (copied is not None and name.startswith("clone:")):
            continue
        probability = _moved_rate(parent.model, name, space, rng)
        draft.set_rate(name, probability)
        if rng.random() < probability:
            draft.apply(name, rng)
    for name in copied or ():
        draft.copy(name)
    for name, value in decided.items():
        draft.decide(name, value)
    draft.enter()
    draft.prepare(preparation)
    return draft.plan(parent, seed)


def copied_whole(
    parent: Member, space: SearchSpace, structure: Structure, holdings: Holdings, preparation: Preparation, seed: int
) -> ChildPlan:
    """Returns a child of ``parent`` that trains a copy of all its layers and differs in nothing else but preparation.

    Arguments as of ``mutate``.
    """
    draft = _Draft(parent.model, space, structure)
    for name in clonable(parent.model, structure, holdings):
        draft.copy(name)
    draft.enter()
    draft.prepare(preparation)
    return draft.plan(parent, seed)


def as_it_is(parent: Member, space: SearchSpace, seed: int) -> ChildPlan:
    """Returns a child of ``parent`` without mutations, of a task that has no model: examples prepared as by default."""
    values = {**space.defaults, **parent.model.hyperparameters}
    values |= {name: space.defaults[name] for name in space.shared & space.defaults.keys()}
    return ChildPlan(
        parent=parent,
        clones=frozenset(),
        hyperparameters=values,
        mutation_rates=parent.model.mutation_rates,
        mutations=(),
        seed=seed,
    )


def _copied(parent: Model, space: SearchSpace, layers: tuple[str, ...], rng: Random) -> tuple[str, ...] | None:
    """Returns all of ``layers``, if a child copies them all at once; None if chance decides on each."""
    share = float(parent.hyperparameters.get(COPY_ALL, space.defaults.get(COPY_ALL, 0.0)))
    return layers if share and rng.random() < share else None


class _Draft:
    """A child in the making: what it inherits, and everything that was changed so far."""

    def __init__(self, parent: Model, space: SearchSpace, structure: Structure, kinship: Kinship = _NO_KIN) -> None:
        self._parent, self._space, self._structure = parent, space, structure
        self._changes = _changes(parent, space, structure)
        self._partners = _partners(parent, structure, kinship)
        self._values: dict[str, Hyperparameter] = {**space.defaults, **parent.hyperparameters}
        self._rates = dict(parent.mutation_rates)
        self._clones: set[str] = set()
        self._merges: dict[str, Merging] = {}
        self._structured: set[str] = set()
        self._applied: list[Mutation] = []

    def apply(self, mutation: str, rng: Random) -> None:
        kind, _, name = mutation.partition(":")
        if mutation in self._changes:
            self._set(mutation, self._changes[mutation])
            self._structured |= self._changes[mutation].keys()
        elif name in self._structured:
            return  # what a change of structure set is not moved on: growth by a block would be no growth
        elif kind == "clone":
            self.copy(name)
        elif kind == "cross":
            self._cross(name, rng)
        elif kind == "merge":
            self._merge(name, rng)
        else:
            self._set(mutation, {name: neighbour(self._values[name], self._space.values[name], rng)})

    def enter(self) -> None:
        """Moves what another space allowed, and this one does not, to the nearest value of its list."""
        for name, values in self._space.values.items():
            if name != MU:
                self._set(f"hp:{name}", {name: nearest(self._values[name], values)})

    def decide(self, mutation: str, value: Hyperparameter) -> None:
        name = mutation.removeprefix("hp:")
        if name not in self._structured:  # as for moves
            self._set(mutation, {name: value})

    def copy(self, name: str) -> None:
        if not self._is_gone(name):
            self._clones.add(name)
            self._applied.append(Mutation(name=f"clone:{name}"))

    def set_rate(self, mutation: str, after: float) -> None:
        before = rate(self._parent, mutation, self._space)
        if after != before:
            self._rates[mutation] = after
            self._applied.append(Mutation(name=f"{MU}:{mutation}", before=before, after=after))

    def prepare(self, preparation: Preparation) -> None:
        for name, value in preparation.values.items():
            self._set(f"hp:{name}", {name: value})
        for mutation, after in preparation.rates.items():
            self.set_rate(mutation, after)

    def plan(self, parent: Member, seed: int) -> ChildPlan:
        values = self._structure.settled(self._values)
        undone = {name for name, sets in self._changes.items() if not sets.keys() <= values.keys()}
        return ChildPlan(
            parent=parent,
            clones=frozenset(self._clones),
            hyperparameters=values,
            mutation_rates=self._rates,
            mutations=tuple(mutation for mutation in self._applied if mutation.name not in undone),
            seed=seed,
            merges=self._merges,
        )

    def _merge(self, name: str, rng: Random) -> None:
        """Draws evenly what a layer is merged with, and with which share of it."""
        if self._is_gone(name):
            return
        partners, shares = self._partners[f"merge:{name}"], self._space.merging
        partner, share = partners[int(rng.random() * len(partners))], shares[int(rng.random() * len(shares))]
        self._merges[name] = Merging(partner=partner, weight=share)
        self._applied.append(Mutation(name=f"merge:{name}", after=share))

    def _cross(self, name: str, rng: Random) -> None:
        """Draws evenly what takes the place of a layer, of which no copy is made then."""
        partners = self._partners[f"cross:{name}"]
        self._merges[name] = Merging(partner=partners[int(rng.random() * len(partners))], weight=1.0)
        self._clones.discard(name)
        self._applied = [mutation for mutation in self._applied if mutation.name != f"clone:{name}"]
        self._applied.append(Mutation(name=f"cross:{name}"))

    def _is_gone(self, name: str) -> bool:
        """Returns whether another layer took the place of the parent's."""
        return name in self._merges and self._merges[name].is_crossing

    def _set(self, mutation: str, sets: Mapping[str, Hyperparameter]) -> None:
        name, after = next(iter(sets.items()))
        before = self._values.get(name)
        self._values.update(sets)
        if after != before:
            self._applied.append(Mutation(name=mutation, before=before, after=after))


def _changes(parent: Model, space: SearchSpace, structure: Structure) -> Mapping[str, Mapping[str, Hyperparameter]]:
    values = {**space.defaults, **parent.hyperparameters}
    found = structure.structural(parent.architecture.config, values, space.structural)
    return {
        name: sets
        for name, sets in found.items()
        if all(key not in space.values or value in space.values[key] for key, value in sets.items())
    }


def _partners(parent: Model, structure: Structure, kinship: Kinship) -> Mapping[str, tuple[Partner, ...]]:
    """Returns by mutation the layers of other models that one of ``parent`` can be merged with or replaced by."""
    return {
        **{f"merge:{name}": partners for name, partners in kinship.partners(parent, structure).items()},
        **{f"cross:{name}": partners for name, partners in kinship.crossings(parent, structure).items()},
    }
