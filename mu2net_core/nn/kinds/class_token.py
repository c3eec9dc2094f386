"""A learned token before all others, from which a model's outputs are read."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.module_kind import ZEROS, TokenKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["ClassToken"]


class ClassToken(TokenKind):
    """Size: ``width``; ``tokens`` pass, and leave as one more."""

    name = "class_token"

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [1 + T, D]."""
        return (1 + spec.size("tokens"), spec.size("width"))

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns what puts the token before the others."""
        del spec, dtype, first_only
        return _Token()

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns zero: the token's position tells it from the others."""
        del name, shape, rng, identity
        return 0.0

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: nothing is multiplied."""
        del spec, first_only
        return 0


class _Token(nn.Module):
    """Tokens [B, T, D] to [B, 1 + T, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        token = self.param("cls", ZEROS, (1, 1, x.shape[-1]), jnp.float32).astype(x.dtype)
        return jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, x.shape[-1])), x], axis=1)
