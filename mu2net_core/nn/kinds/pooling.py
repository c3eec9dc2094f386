"""The mean of all tokens, normalised before and after: what outputs are read from where there is no class token.

Means of normalised tokens are all much alike. Without the second normalisation a head takes several times as many steps
to tell examples apart (docs/experiments.md).

``B`` is the batch, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.grid import group_norm
from mu2net_core.nn.module_kind import EPSILON, TokenKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["Pooling"]


class Pooling(TokenKind):
    """Size: ``width``; ``tokens`` come."""

    name = "pooling"
    in_float32 = True

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [D]."""
        return (spec.size("width"),)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns a normalisation, gelu, the mean and its normalisation."""
        del spec, first_only
        return _Pooling(dtype)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns scales of one, and no biases."""
        del shape, rng, identity
        return 1.0 if name.endswith("scale") else 0.0

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: it has no dense product."""
        del spec, first_only
        return 0

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of its tokens."""
        return spec.size("tokens") * spec.size("width")


class _Pooling(nn.Module):
    """Tokens [B, T, D] to [B, D]."""

    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.gelu(group_norm(x.shape[-1], dtype=self.dtype, name="norm_tokens")(x))
        pooled: jax.Array = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="norm_mean")(jnp.mean(x, axis=1))
        return pooled
