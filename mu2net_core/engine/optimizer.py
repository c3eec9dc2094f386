"""SGD with momentum whose every setting is a run-time value, so that no hyperparameter costs a compilation.

The update is that of ``optax.sgd(schedule, momentum, nesterov)`` after ``optax.clip_by_global_norm`` (tested against
them); those fix ``nesterov`` and the schedule's lengths when the program is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from mu2net_core.objects import Hyperparameter

__all__ = ["OptimizerSettings", "learning_rate_at", "sgd_step"]


@struct.dataclass
class OptimizerSettings:
    """The optimizer's hyperparameters as float32 scalars, on the host at first.

    ``nesterov`` is 0 or 1; lengths are gradient steps.
    """

    learning_rate: jax.Array
    warmup_steps: jax.Array
    total_steps: jax.Array
    momentum: jax.Array
    nesterov: jax.Array

    @classmethod
    def of(cls, hyperparameters: Mapping[str, Hyperparameter], total_steps: int) -> OptimizerSettings:
        """Returns the settings for a whole child training of ``total_steps``."""
        values = {
            "learning_rate": hyperparameters["learning_rate"],
            "warmup_steps": float(hyperparameters["warmup_ratio"]) * total_steps,
            "total_steps": total_steps,
            "momentum": hyperparameters["momentum"],
            "nesterov": hyperparameters["nesterov"],
        }
        return cls(**{name: np.float32(value) for name, value in values.items()})  # type: ignore[arg-type]


def learning_rate_at(step: jax.Array, settings: OptimizerSettings) -> jax.Array:
    """Returns the rate of gradient step ``step`` (0-based): linear warm-up, then a cosine to zero."""
    done = step.astype(jnp.float32)
    warm = jnp.minimum(1.0, (done + 1.0) / jnp.maximum(settings.warmup_steps, 1.0))
    rest = jnp.maximum(settings.total_steps - settings.warmup_steps, 1.0)
    progress = jnp.clip((done - settings.warmup_steps) / rest, 0.0, 1.0)
    return settings.learning_rate * warm * 0.5 * (1.0 + jnp.cos(jnp.pi * progress))


def sgd_step(
    params: optax.Params,
    momentum: optax.Params,
    gradients: optax.Updates,
    rate: jax.Array,
    settings: OptimizerSettings,
    *,
    clip_norm: jax.Array | float,
    trainable: Any = True,
) -> tuple[optax.Params, optax.Params]:
    """Returns parameters and momentum after one step; all three trees are alike.

    Args:
        params: before the step.
        momentum: likewise.
        gradients: of the parameters.
        rate: of this step.
        settings: of the optimizer.
        clip_norm: global norm the gradients are clipped to.
        trainable: bools for the top of the trees; where one is false nothing moves, and no gradient counts.
    """
    moves = jax.tree.broadcast(trainable, params)
    norm = jnp.sqrt(sum(jax.tree.leaves(jax.tree.map(_square, gradients, moves))))
    scale = jnp.minimum(1.0, clip_norm / (norm + 1e-12))
    move = partial(_moved, scale=scale, rate=rate, settings=settings)
    pairs = jax.tree.map(move, params, gradients, momentum, moves)
    moved, carried = jax.tree.transpose(jax.tree.structure(params), jax.tree.structure((0, 0)), pairs)
    return moved, carried


@jax.jit  # as a function of its own it is traced once for all arrays of a size, which is most of the time a trace takes
def _square(gradient: jax.Array, on: jax.Array) -> jax.Array:
    return jnp.where(on, jnp.sum(jnp.square(gradient)), 0.0)


@jax.jit
def _moved(
    p: jax.Array,
    g: jax.Array,
    m: jax.Array,
    on: jax.Array,
    *,
    scale: jax.Array,
    rate: jax.Array,
    settings: OptimizerSettings,
) -> tuple[jax.Array, jax.Array]:
    carried = jnp.where(on, g * scale + settings.momentum * m, m)
    update = jnp.where(settings.nesterov > 0, g * scale + settings.momentum * carried, carried)
    return jnp.where(on, p - rate * update, p), carried
