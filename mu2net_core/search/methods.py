"""Search methods: they plan the children of a generation, and are told what became of every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mu2net_core.errors import SearchError
from mu2net_core.objects import System, Trial
from mu2net_core.plugins import Registry
from mu2net_core.search.plan import ChildPlan
from mu2net_core.search.population import Population, ask, rescored
from mu2net_core.search.random_search import ask_random
from mu2net_core.search.space import SearchSpace
from mu2net_core.search.state import SearchState
from mu2net_core.search.structure import Structure

__all__ = ["DEFAULT_METHOD", "METHODS", "MU2NET_PLUS", "RANDOM", "Evolution", "SearchMethod", "plan_generation"]

DEFAULT_METHOD = "mu2net-plus"
_HERE = "mu2net_core.search.methods"


class SearchMethod(Protocol):
    """Plans generations (entry point group ``mu2net.methods``): an object, or a module, with these two functions.

    Both are pure: what they return follows from their arguments alone, so that an iteration can go on after a crash
    and can be repeated. What a method learns it keeps in the state.
    """

    def ask(
        self,
        state: SearchState,
        system: System,
        space: SearchSpace,
        /,
        *,
        num_children: int,
        structure: Structure,
        seed: int,
    ) -> tuple[tuple[ChildPlan, ...], SearchState]:
        """Returns exactly ``num_children`` plans, and the state with the parents' selections counted.

        Args:
            state: what is known.
            system: the newest image of the system; models the task may not use are never parents.
            space: where hyperparameters may move.
            num_children: how many to plan.
            structure: the architecture's part in what may change.
            seed: of this generation.

        Raises:
            SearchError: there is no model to start from.
        """
        ...

    def tell(self, state: SearchState, trials: Sequence[Trial], /) -> SearchState:
        """Returns the state once what became of a generation is known.

        Args:
            state: its population has the children that were kept already, and its trials are among the state's.
            trials: of the generation, one for each plan, in their order.
        """
        ...


class _Plan(Protocol):
    """How an evolution plans a generation."""

    def __call__(
        self,
        population: Population,
        system: System,
        space: SearchSpace,
        *,
        num_children: int,
        structure: Structure,
        seed: int,
    ) -> tuple[tuple[ChildPlan, ...], Population]:
        """Returns the plans, and the population with its selections counted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """A search method that decides by who is alive, and remembers nothing else.

    Attributes:
        plan: a generation.
    """

    plan: _Plan

    def ask(
        self,
        state: SearchState,
        system: System,
        space: SearchSpace,
        /,
        *,
        num_children: int,
        structure: Structure,
        seed: int,
    ) -> tuple[tuple[ChildPlan, ...], SearchState]:
        """Returns plans for one generation, and the state with the selections counted."""
        plans, population = self.plan(
            state.population, system, space, num_children=num_children, structure=structure, seed=seed
        )
        return plans, replace(state, population=population)

    def tell(self, state: SearchState, trials: Sequence[Trial], /) -> SearchState:
        """Returns the state as it is: who was kept is in the population."""
        del trials
        return state


MU2NET_PLUS = Evolution(plan=ask)
"""The papers' method."""

RANDOM = Evolution(plan=ask_random)
"""The baseline that evolution has to beat."""

METHODS: Registry[SearchMethod] = Registry(
    group="mu2net.methods",
    what="search method",
    shipped={
        DEFAULT_METHOD: f"{_HERE}:MU2NET_PLUS",
        "random": f"{_HERE}:RANDOM",
        "tpe": "mu2net_core.search.tpe",
    },
    offers=("ask", "tell"),
    needs={"tpe": ("optuna", "tpe")},
)
"""The search methods there are."""


def plan_generation(
    name: str,
    state: SearchState,
    system: System,
    space: SearchSpace,
    *,
    num_children: int,
    structure: Structure,
    seed: int,
) -> tuple[tuple[ChildPlan, ...], SearchState]:
    """Returns what the method called ``name`` plans; arguments as of ``SearchMethod.ask``.

    The population it is asked of, which is in the state that is returned, is scored by what layers cost in ``system``.

    Raises:
        SearchError: it planned another number of children.
    """
    method = METHODS.load(name)
    state = replace(state, population=rescored(state.population, system, state.scorer))
    plans, state = method.ask(state, system, space, num_children=num_children, structure=structure, seed=seed)
    if len(plans) != num_children:
        raise SearchError(
            f"The search method {name!r} planned {len(plans)} children; expected {num_children}.",
            hint="Ask whoever wrote it, or choose another: mu2net config set evolve.method mu2net-plus",
        )
    return plans, state
