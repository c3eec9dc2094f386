"""What a preset is."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Architecture, Scorer, Task
from mu2net_core.search import DEFAULT_METHOD, SearchSpace

__all__ = ["Preset", "TrainingConfig", "short_cycles"]

_LARGEST = 2**31
_CAN_BE_ZERO = frozenset({"probes", "refit_from"})
_LEAST_MORE = 1 / 20
"""Fewer examples more, in relation to those that children learn from, are no reason to train once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How many children, and how each is trained.

    Attributes:
        generations: how many a task iteration has.
        children: how many a generation has.
        validations: training cycles per child, each followed by one validation.
        batch_size: examples per gradient step, at most.
        min_steps: gradient steps per cycle, at least: where an epoch has fewer, batches are halved, down to 32
            examples, and then a cycle is several epochs.
        epochs: passes over all training examples that a cycle is, as far as samples_cap and min_steps allow.
        samples_cap: examples per cycle, at most; only min_steps makes it more.
        validation_cap: validation examples used to score, at most.
        clip_norm: gradients are scaled down to this global norm.
        population_cap: models of the task alive during an iteration, at most: the best stay.
        probes: models of others and roots, at most, whose layers are tried on some examples before the first generation
            of a new task of classes, so that it rather begins from those that suit it; 0 tries none.
        refit_from: the first iteration of a task in the end of which the best model is trained on, on validation
            examples, too, if they are a twentieth of the others or more: that is the one which is used, and children
            are still made from the one that did not see them; 1 is every iteration, 0 none.
        method: what plans generations: the papers' method, random search, tpe, or one that another package offers.
    """

    generations: int = 4
    children: int = 8
    validations: int = 4
    batch_size: int = 512
    min_steps: int = 1
    epochs: int = 1
    samples_cap: int = 51200
    validation_cap: int = 5120
    clip_norm: float = 1.0
    population_cap: int = 64
    probes: int = 0
    refit_from: int = 0
    method: str = DEFAULT_METHOD

    def __post_init__(self) -> None:
        if not self.method:
            raise InvalidInputError("evolve.method: expected the name of a search method.")
        for field in fields(self):
            value = getattr(self, field.name)
            is_off = value == 0 and field.name in _CAN_BE_ZERO
            if not isinstance(value, str) and not is_off and not 0 < value <= _LARGEST:
                least = "0 or a positive number" if field.name in _CAN_BE_ZERO else "a positive number"
                expected = f"at most {_LARGEST}" if value > _LARGEST else least
                raise InvalidInputError(f"evolve.{field.name}: expected {expected}, got {str(value)[:80]}.")

    def refits(self, task: Task, iteration: int) -> bool:
        """Returns whether the best model of an iteration on ``task`` is trained on, if it was not before."""
        more, examples = (task.splits[split].num_examples for split in ("validation", "train"))
        return 0 < self.refit_from <= iteration and more >= _LEAST_MORE * examples


def short_cycles(steps: int, *, batch_size: int, validations: int = 4, refit_from: int = 0) -> TrainingConfig:
    """Returns how small models are trained that begin with random numbers: few children, and probes for the first.

    Args:
        steps: of a training cycle.
        batch_size: examples per step.
        validations: training cycles per child. The best of several on few examples is often only the luckiest, and
            before the last the learning rate is still high.
        refit_from: the first iteration in the end of which the best model learns from validation examples, too.
    """
    return TrainingConfig(
        generations=3,
        children=2,
        validations=validations,
        batch_size=batch_size,
        samples_cap=steps * batch_size,
        min_steps=steps,
        probes=8,
        refit_from=refit_from,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named starting point for a repository."""

    name: str
    summary: str
    architecture: Architecture
    space: SearchSpace
    training: TrainingConfig = TrainingConfig()
    scorer: Scorer = Scorer()
