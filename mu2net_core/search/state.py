"""All that a search method knows, between two generations, of the task it works on: values, never anything else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mu2net_core.objects import MOST_TRIALS, RunSetting, Scorer, Trial
from mu2net_core.search.plan import Member
from mu2net_core.search.population import Population, tell

__all__ = ["Memory", "SearchState", "taken_in"]

Memory = Mapping[str, RunSetting]
"""What a method notes for itself, by name: booleans, numbers, texts, and tuples of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchState:
    """What a search method knows. It is saved with the iteration, so whoever goes on after a crash knows the same.

    Attributes:
        population: of the task: who can be a parent, and how often each was.
        scorer: that all scores are by.
        before: trials of earlier iterations of the task, as their commits keep them, the newest last: of the same
            definition of the task, under the same scorer and cap of validation examples, at most ``MOST_TRIALS``.
        trials: of this iteration, in the order they were planned; the newest ``MOST_TRIALS``.
        memory: what the method noted for itself.
    """

    population: Population
    scorer: Scorer = Scorer()
    before: tuple[Trial, ...] = ()
    trials: tuple[Trial, ...] = ()
    memory: Memory = field(default_factory=dict)


def taken_in(state: SearchState, trials: Sequence[Trial], kept: Collection[Member], *, cap: int) -> SearchState:
    """Returns the state after a generation, before its method is told of it: only the ``cap`` best models stay."""
    return replace(
        state,
        population=tell(state.population, kept, cap=cap),
        trials=(*state.trials, *trials)[-MOST_TRIALS:],
    )
