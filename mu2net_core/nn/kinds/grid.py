"""Tokens that lie on a square grid, and what convolutions need of them.

Between layers a picture's features are tokens [B, T, D], row by row, whatever kind of layer takes them, so that
convolutions, attention and adapters stand in one row. A convolution sees them as [B, G, G, D], G * G being T.
``B`` is the batch, ``D`` the width.
"""

from __future__ import annotations

from math import gcd, isqrt
from typing import Any

import jax
from flax import linen as nn

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.module_kind import EPSILON

__all__ = ["as_grid", "as_tokens", "grid_side", "group_norm", "halved"]

_GROUP = 8
"""Channels that are normalised together. There are no statistics of batches: a layer is a value, and what it makes of
an example depends on nothing else."""


def grid_side(tokens: int) -> int:
    """Returns how many tokens stand on a side of their grid.

    Raises:
        InvalidInputError: they are on no square grid.
    """
    side = isqrt(tokens)
    if side * side != tokens:
        raise InvalidInputError(f"expected tokens on a square grid (1, 4, 9, ...), got {tokens}.")
    return side


def halved(tokens: int) -> int:
    """Returns how many tokens are left of a grid of which every second row and column is kept, the first ones."""
    return ((grid_side(tokens) + 1) // 2) ** 2


def as_grid(x: jax.Array) -> jax.Array:
    """Returns tokens [B, T, D] as [B, G, G, D]."""
    side = grid_side(x.shape[1])
    return x.reshape(x.shape[0], side, side, x.shape[2])


def as_tokens(x: jax.Array) -> jax.Array:
    """Returns a grid [B, G, G, D] as tokens [B, T, D]."""
    return x.reshape(x.shape[0], -1, x.shape[3])


def group_norm(width: int, *, dtype: Any, name: str) -> nn.Module:
    """Returns a normalisation of each example alone, in groups of channels (Wu and He, 2018)."""
    return nn.GroupNorm(num_groups=None, group_size=gcd(width, _GROUP), epsilon=EPSILON, dtype=dtype, name=name)
