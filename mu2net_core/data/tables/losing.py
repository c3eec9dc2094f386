"""Cells that get lost at random while a model is trained: it learns from the others, and what an empty cell means."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.data.modality import Change

__all__ = ["losing"]


def losing(share: float) -> Change:
    """Returns the change that takes each cell away with a probability."""
    return Change(apply=_lose, settings=np.float32(share))


def _lose(inputs: jax.Array, share: Any, key: jax.Array) -> jax.Array:
    """Returns rows [N, F, 4] of which cells are lost: unknown, if they were values, else missing."""
    chances = jax.random.uniform(jax.random.wrap_key_data(key, impl="threefry2x32"), inputs.shape[:2])
    none = jnp.zeros_like(inputs[..., 0])
    lost = jnp.stack([none, none, inputs[..., 3], inputs[..., 3]], axis=-1)
    return jnp.where((chances < share)[..., None], lost, inputs)
