"""SGD with momentum whose every setting is a run-time value, so that no hyperparameter costs a compilation.

The update is that of ``optax.sgd(schedule, momentum, nesterov)`` after ``optax.clip_by_global_norm`` (tested against
them); those fix ``nesterov`` and the schedule's lengths when the program is built.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    clip_norm: float,
) -> tuple[optax.Params, optax.Params]:
    """Returns parameters and momentum after one step; all three trees are alike."""
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradients)))
    scale = jnp.minimum(1.0, clip_norm / (norm + 1e-12))
    gradients = jax.tree.map(lambda g: g * scale, gradients)
    momentum = jax.tree.map(lambda g, m: g + settings.momentum * m, gradients, momentum)
    updates = jax.tree.map(
        lambda g, m: jnp.where(settings.nesterov > 0, g + settings.momentum * m, m), gradients, momentum
    )
    return jax.tree.map(lambda p, u: p - rate * u, params, updates), momentum
