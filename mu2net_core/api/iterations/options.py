"""What is asked of one evolution: one value, from the command line and from Python down to each iteration."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Hyperparameter, System

__all__ = ["EvolveOptions", "goals_of"]

_LARGEST_SEED = 2**53
_KEPT = 1000
"""Who watches for weeks does not remember every iteration: they are events, and commits."""
_SETTINGS = {
    "generations": "evolve.generations",
    "children": "evolve.children",
    "validations": "evolve.validations",
    "method": "evolve.method",
    "scorer": "scorer.name",
}
_OF_AN_ITERATION = ("seed", *_SETTINGS, "preset")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolveOptions:
    """What is asked of one evolution.

    Attributes:
        iterations: per task; one if None, or without end where it watches.
        generations: per iteration; the repository's setting if None. An interrupted one can be given more.
        children: per generation; likewise.
        validations: training cycles per child; likewise.
        seed: every random decision derives from it; None takes that of an interrupted iteration, or draws one.
        budget_s: no generation is started after so many seconds, but for the first; the iteration at hand then ends
            with the best there is.
        restart: whether interrupted iterations begin anew; what they trained is lost.
        slot: of the agent, where several work in one working copy: each makes other children of the same seed, and has
            unfinished iterations of its own.
        agents: how many share the tasks, this one included: each takes one that no other is at, whenever it is free.
            None if it is alone, and goes through its tasks in turn.
        goals: by task the iterations that it is to have behind it in the end, where several agents share them; those
            that are left out get ``iterations`` more.
        until: a task whose best model has this score is good enough: its iteration ends, and no other begins.
        watch: whether it goes on for ever, with the task next that promises most, and those that come later, too;
            what others shared is pulled meanwhile.
        method: of the search; the repository's setting if None.
        scorer: of models; likewise.
        preset: of the children of this agent, where each task has its own; that of the task if None.
        space: by hyperparameter the values that children of this agent can have, in place of those of the settings.
        push: whether each task is pushed when an iteration of it is over; a push that fails stops nothing. None: where
            it watches and there is a remote. Agents elsewhere then see what is worked on.
        barrier: whether all tasks go in step: none begins an iteration before all have finished the one before.
        leases: whether tasks are left alone that other agents work on, and whether these are told of one's own.
    """

    iterations: int | None = None
    generations: int | None = None
    children: int | None = None
    validations: int | None = None
    seed: int | None = None
    budget_s: float | None = None
    restart: bool = False
    slot: int = 0
    agents: int | None = None
    goals: Mapping[str, int] | None = None
    until: float | None = None
    watch: bool = False
    method: str | None = None
    scorer: str | None = None
    preset: str | None = None
    space: Mapping[str, tuple[Hyperparameter, ...]] | None = None
    push: bool | None = None
    barrier: bool = False
    leases: bool = True

    def __post_init__(self) -> None:
        if self.iterations is not None and self.iterations < 1:
            raise InvalidInputError(f"Expected at least one iteration, got {self.iterations}.")
        if self.seed is not None and abs(self.seed) > _LARGEST_SEED:
            raise InvalidInputError(f"Expected a seed from -2^53 to 2^53, got {self.seed}.")
        if self.until is not None and not (isfinite(self.until) and self.until > 0):
            raise InvalidInputError(f"Expected a score above 0 to improve tasks until, e.g. 0.95, got {self.until}.")
        if self.barrier and (self.watch or self.until is not None):
            raise InvalidInputError(
                "Tasks that go in step end with an iteration: neither --watch nor --until go with that."
            )
        for name, values in (self.space or {}).items():
            if not isinstance(values, tuple) or len({isinstance(value, str) for value in values}) != 1:
                raise InvalidInputError(
                    f"space: expected some values of {name}, all numbers or all words, got {str(values)[:80]!r}."
                )
        if self.agents is not None and not 0 <= self.slot < self.agents:
            raise InvalidInputError(f"Expected a slot below the number of agents, {self.agents}, got {self.slot}.")

    @property
    def rounds(self) -> int:
        """Iterations per task, where they have an end."""
        return 1 if self.iterations is None else self.iterations

    @property
    def kept(self) -> int | None:
        """Of how many iterations it is told at the end what they came to: the last ones; None for all."""
        return _KEPT if self.watch else None

    @property
    def settings(self) -> dict[str, Any]:
        """What stands in for settings, by their keys; None where the settings hold."""
        lists = {f"space.{name}": sorted(set(values)) for name, values in (self.space or {}).items()}
        return {key: getattr(self, name) for name, key in _SETTINGS.items()} | lists

    @property
    def words(self) -> str:
        """What is asked of each iteration, as options of the command line, with a space before each."""
        given = [(name, getattr(self, name)) for name in _OF_AN_ITERATION]
        given += [("space", f"{name}={','.join(map(_word, values))}") for name, values in (self.space or {}).items()]
        return "".join(f" --{name} {shlex.quote(str(value))}" for name, value in given if value is not None)


def goals_of(system: System, tasks: Collection[str], rounds: int) -> dict[str, int]:
    """Returns by task the iterations that it has behind it when ``rounds`` more are done."""
    return {name: system.heads[name].commit.iteration + rounds for name in tasks}


def _word(value: Hyperparameter) -> str:
    """Returns a value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
