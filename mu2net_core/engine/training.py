"""What a training program is compiled for, and what it gets: the values that cross into compiled training.

``K`` is the number of children trained together, ``L`` of the slots from the gradient boundary up, ``S`` of the most
steps of a dispatch, ``B`` of the examples of a step, ``M`` = S · B of the examples of a dispatch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
from flax import struct

from mu2net_core.engine.optimizer import OptimizerSettings, Remembered
from mu2net_core.nn import LayerSpec, Params

__all__ = ["Chunk", "Own", "Row", "State", "TrainingShape", "nameless"]

Row = tuple[Params, ...]
"""Parameters of consecutive layers; those of children trained together have a first axis [K]."""

State = tuple[Row, tuple[Remembered, ...], jax.Array]
"""Parameters, what the optimizer remembers of each layer, and the gradient steps done so far, int32."""


@struct.dataclass
class Own:
    """What is each child's own while it is trained, beside its state.

    Attributes:
        settings: of the optimizer.
        smoothing: float32, the share of each label that is spread over all.
        trainable: bool [L], which layers to update; None where that is compiled in.
        present: bool [L], which slots are not empty; None where none is.
        order: int32 [S, B], the places in the chunk of each step's examples.
    """

    settings: OptimizerSettings
    smoothing: jax.Array
    trainable: jax.Array | None
    present: jax.Array | None
    order: jax.Array


@struct.dataclass
class Chunk:
    """What the children of one dispatch share.

    Attributes:
        inputs: [M, ...]: examples, or what the frozen part makes of them; padded.
        labels: [M, ...], as the objective has them.
        steps: int32, how many of the S steps to do.
        variant: int32, which of the program's rows is trained.
        clip_norm: float32, the global norm that gradients are clipped to.
    """

    inputs: jax.Array
    labels: jax.Array
    steps: jax.Array
    variant: jax.Array
    clip_norm: jax.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingShape:
    """All that decides a training program but its objective and the shapes of its arguments.

    Attributes:
        specs: of the slots, under no names.
        rows: of each variant the slots that are in use, ascending.
        trainable: which layers are updated, if that is compiled in: then nothing is remembered of the others.
        together: whether it trains K children.
    """

    specs: tuple[LayerSpec, ...]
    rows: tuple[tuple[int, ...], ...]
    trainable: tuple[bool, ...] | None = None
    together: bool = False

    @classmethod
    def plain(cls, specs: Sequence[LayerSpec]) -> TrainingShape:
        """Returns the shape of a row that has no variants."""
        return cls(specs=nameless(specs), rows=(tuple(range(len(specs))),))

    def only(self, used: tuple[int, ...]) -> TrainingShape:
        """Returns the shape of a row of nothing but the slots ``used``."""
        return replace(self, specs=tuple(self.specs[index] for index in used), rows=(tuple(range(len(used))),))


def nameless(specs: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    """Returns ``specs`` without what tells layers of one kind and size apart."""
    return tuple(spec.nameless for spec in specs)
