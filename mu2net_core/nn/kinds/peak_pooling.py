"""The mean of all tokens that are there, and the peaks among them, normalised: what outputs of texts are read from.

A mean alone spreads what one word says over all of them; the largest of each number, as convolutions of texts have it
(Kim, 2014), keeps it whole.

``B`` is the batch, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from mu2net_core.nn.kinds.padding import mean_of_present, present
from mu2net_core.nn.kinds.token_pooling import TokenPooling

__all__ = ["PeakPooling"]


class PeakPooling(TokenPooling):
    """Size: ``width``; option: ``epsilon``; ``tokens`` come, of which those that are padding do not count."""

    name = "peak_pooling"

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns of tokens [B, T, D] their mean plus the largest of each number, [B, D]; zeros where none is there."""
        tokens, there = x.astype(dtype), present(x)[..., None]
        peaks = jnp.max(jnp.where(there, tokens, -jnp.inf), axis=1)
        return mean_of_present(tokens) + jnp.where(jnp.any(there, axis=1), peaks, 0)
