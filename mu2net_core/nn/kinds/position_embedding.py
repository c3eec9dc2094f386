"""A learned embedding of where a token stands, for tokens that are a square grid, or one after a class token."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.module_kind import ZEROS, TokenKind
from mu2net_core.nn.positions import resize_positions
from mu2net_core.nn.spec import Arrays, LayerSpec

__all__ = ["PositionEmbedding"]

_STD = 0.3  # why so much: see patch_embedding.py
_ARRAY = "pos_embedding"


class PositionEmbedding(TokenKind):
    """Sizes: ``tokens``, ``width``. Another number of tokens is another size of image: the grid is interpolated."""

    name = "position_embedding"
    joined = "below"
    fitted = "interpolate"

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns what adds the embedding."""
        del spec, dtype, first_only
        return _Positions()

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns normal numbers."""
        del name, identity
        return rng.standard_normal(shape) * _STD

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns the embedding interpolated to another number of tokens."""
        del rng
        return {_ARRAY: resize_positions(arrays[_ARRAY], spec.size("tokens"))}

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: nothing is multiplied."""
        del spec, first_only
        return 0


class _Positions(nn.Module):
    """Adds to tokens [B, T, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.param(_ARRAY, ZEROS, (1, *x.shape[1:]), jnp.float32).astype(x.dtype)
