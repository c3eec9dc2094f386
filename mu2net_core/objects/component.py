"""A component: one layer's parameters with the optimizer state last used to train them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Component", "ComponentRef", "Operation", "Training"]

Operation = Literal["root", "new", "clone", "insert", "interpolate", "grow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """The arrays of one layer, immutable once stored.

    Attributes:
        name: the layer, e.g. ``encoderblock_0``.
        config: what the architecture needs to rebuild the layer; numbers, strings and booleans.
        params: arrays by slash-joined name, e.g. ``mlp/dense_0/kernel``.
        opt_state: arrays by ``<state>/<param name>``, e.g. ``momentum/mlp/dense_0/kernel``; empty if never trained.
    """

    name: str
    config: Mapping[str, int | float | str | bool]
    params: Mapping[str, np.ndarray]
    opt_state: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def num_params(self) -> int:
        """How many numbers ``params`` holds."""
        return sum(int(array.size) for array in self.params.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How much one task's data trained a component and its ancestors: gradient steps and examples seen."""

    steps: int
    examples: int

    def __post_init__(self) -> None:
        if self.steps < 0 or self.examples < 0:
            raise ValueError("steps and examples must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRef:
    """A component's place in a model.

    Attributes:
        id: the component object.
        name: the layer it is in this model.
        num_params: numbers in ``params``.
        size_bytes: bytes of the object's file.
        trainable: whether this model trained it; otherwise it is frozen, its parent's own.
        operation: how it came to be; in a root, ``new`` if its numbers were drawn, ``root`` if a checkpoint has them.
        parent: the component it started from, or None.
        training: per task, what its whole lineage was trained with, this model included.
    """

    id: str
    name: str
    num_params: int
    size_bytes: int
    trainable: bool
    operation: Operation
    parent: str | None = None
    training: Mapping[str, Training] = field(default_factory=dict)

    @property
    def is_untrained(self) -> bool:
        """Whether its numbers are still as they were drawn: it holds nobody's knowledge."""
        return self.operation == "new" and not self.training
