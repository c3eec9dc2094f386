"""Rows of tokens of different lengths in arrays of one shape: a token of zeros alone is padding.

Layers that are told so (``padded`` passes through them) let no other token look at such a one, and leave it zero, so
that nothing but the tokens themselves has to say where a text ends.

``B`` is the batch, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from mu2net_core.nn.spec import LayerSpec

__all__ = ["PADDED", "is_padded", "mean_of_present", "of_present", "present"]

PADDED = "padded"
"""Says, as 1 among what passes through a layer, that some of its tokens may be padding."""


def is_padded(spec: LayerSpec) -> bool:
    """Returns whether some tokens of what a layer takes may be padding."""
    return bool(dict(spec.flow).get(PADDED, 0))


def present(x: jax.Array) -> jax.Array:
    """Returns, of tokens [B, T, D], which are no padding: bool [B, T]."""
    return jnp.any(x != 0, axis=-1)


def of_present(made: jax.Array, there: jax.Array | None) -> jax.Array:
    """Returns what was made of tokens, [B, T, D], with zeros again where there was padding; all of it without any."""
    return made if there is None else jnp.where(there[..., None], made, 0).astype(made.dtype)


def mean_of_present(x: jax.Array) -> jax.Array:
    """Returns the mean of the tokens [B, T, D] that are no padding, [B, D]; zeros where all are."""
    count = jnp.sum(present(x), axis=1, dtype=x.dtype)
    return jnp.sum(x, axis=1) / jnp.maximum(count, 1)[:, None]
