"""What an agent works with: all that stays the same while it improves one task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mu2net_core.data import modality_of
from mu2net_core.engine.child import Trainer
from mu2net_core.engine.feeding import TaskData
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs
from mu2net_core.nn import InputSpec
from mu2net_core.objectives import Objective, objective_of
from mu2net_core.objects import AccessRule, Component, Model, Task
from mu2net_core.presets import Preset
from mu2net_core.search import SearchSpace

__all__ = ["SaveComponent", "Workshop"]

SaveComponent = Callable[[Component], tuple[str, int]]
"""Stores a component; returns its id and size in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """All that stays the same while an agent works on one task.

    Attributes:
        task: the active task.
        task_id: its object.
        access: who may read what it teaches: no more than any of its task objects so far allows.
        preset: the repository's preset with its settings applied.
        data: the task's examples.
        programs: compiled programs.
        pool: components in memory.
        save_component: stores what was trained; called by another thread than the one that trains.
        model_id: returns the id a manifest will have.
        provenance: device kind and library versions, stored in every model.
    """

    task: Task
    task_id: str
    access: AccessRule
    preset: Preset
    data: TaskData
    programs: Programs
    pool: ComponentPool
    save_component: SaveComponent
    model_id: Callable[[Model], str]
    provenance: Mapping[str, str]

    @property
    def objective(self) -> Objective:
        """What outputs for the task are worth."""
        return objective_of(self.task)

    @property
    def space(self) -> SearchSpace:
        """The search space, in which what says how examples are prepared is shared."""
        own = {self.programs.family.vocabulary.input} - {""}
        return replace(self.preset.space, shared=modality_of(self.task.input.kind).preparation | own)

    @property
    def validation_examples(self) -> int:
        """How many validation examples children are scored on."""
        return min(self.task.splits["validation"].num_examples, self.preset.training.validation_cap)

    def trainer(self, input_spec: InputSpec) -> Trainer:
        """Returns what trains children that take ``input_spec``."""
        return Trainer(
            data=self.data.at(input_spec),
            pool=self.pool,
            programs=self.programs,
            config=self.preset.training,
            objective=self.objective,
        )
