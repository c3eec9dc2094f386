"""SGD with momentum whose every setting is a run-time value, so that no hyperparameter costs a compilation.

The update is that of ``optax.sgd(schedule, momentum, nesterov)`` after ``optax.clip_by_global_norm`` (tested against
them); those fix ``nesterov`` and the schedule's lengths when the program is built.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    squares = jax.tree.map(lambda g, on: jnp.where(on, jnp.sum(jnp.square(g)), 0.0), gradients, moves)
    norm = jnp.sqrt(sum(jax.tree.leaves(squares)))
    scale = jnp.minimum(1.0, clip_norm / (norm + 1e-12))

    def carry(g: jax.Array, m: jax.Array, on: jax.Array) -> jax.Array:
        return jnp.where(on, g * scale + settings.momentum * m, m)

    def move(p: jax.Array, g: jax.Array, m: jax.Array, on: jax.Array) -> jax.Array:
        update = jnp.where(settings.nesterov > 0, g * scale + settings.momentum * m, m)
        return jnp.where(on, p - rate * update, p)

    momentum = jax.tree.map(carry, gradients, momentum, moves)
    return jax.tree.map(move, params, gradients, momentum, moves), momentum
