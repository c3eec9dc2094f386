"""The sum of all tokens, not normalised: of tokens that know nothing of each other it is a sum of what each adds.

That makes a model without blocks a generalized additive model (Hastie and Tibshirani, 1986): what a column adds is the
same whatever the other columns are. A normalisation, which divides by what all of them are, would undo it. The product
after it is a kernel, whose weights decay as the head's do: together they keep curves flat that few examples speak for.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.encoder_norm import MeanNorm
from mu2net_core.nn.spec import LayerSpec

__all__ = ["TokenSum"]


class TokenSum(MeanNorm):
    """Size: ``width``; ``tokens`` come, of which those that are padding are zeros and add nothing."""

    name = "token_sum"

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns the sum."""
        return jnp.sum(x.astype(dtype), axis=1)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns a product with one number for each dimension."""
        del spec, dtype, first_only
        return _Scaled()

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns ones."""
        del name, shape, rng, identity
        return 1.0


class _Scaled(nn.Module):
    """[B, D] to [B, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.param("kernel", nn.initializers.ones, (x.shape[-1],), jnp.float32)
