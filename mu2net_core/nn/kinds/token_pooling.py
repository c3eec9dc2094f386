"""The mean of all tokens that are there, normalised: what outputs of texts and tables are read from."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from mu2net_core.nn.kinds.encoder_norm import MeanNorm
from mu2net_core.nn.kinds.padding import mean_of_present

__all__ = ["TokenPooling"]


class TokenPooling(MeanNorm):
    """Size: ``width``; option: ``epsilon``; ``tokens`` come, of which those that are padding do not count."""

    name = "token_pooling"

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns the mean of the tokens that are there."""
        return mean_of_present(x.astype(dtype))
