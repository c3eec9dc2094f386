"""Convolutions as products of matrices: each place of a grid with all that the kernel sees there, times the kernel.

XLA's own convolution on a CPU falls back to plain loops where it stands within a loop of the program, as every gradient
step of training does: one of 3 x 3 on 8 x 8 tokens of 64 channels takes thirty times as long there as what is here
(docs/experiments.md has the measurement, jax-ml/jax#12868 the reason). Children that are trained together would make a
grouped convolution of it, which is slower still; of this they make a batch of products.

``B`` is the batch, ``G`` the side of a grid, ``D`` its channels, ``N`` the side of a kernel, ``F`` what it gives.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from mu2net_core.nn.module_kind import ZEROS

__all__ = ["Convolution", "convolved"]


def convolved(x: jax.Array, kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Returns the convolution of ``x`` [B, G, G, D] with ``kernel`` [N, N, D, F]: every ``stride``-th place of it.

    There are zeros around the grid, as many at its beginning as at its end, or one less: padding ``SAME``.
    """
    places = -(-x.shape[1] // stride)
    reach = (places - 1) * stride + 1
    around = max(reach - 1 + kernel.shape[0] - x.shape[1], 0)
    sides = (around // 2, around - around // 2)
    x = jnp.pad(x, ((0, 0), sides, sides, (0, 0)))
    steps = range(kernel.shape[0])
    seen = [x[:, row : row + reach : stride, column : column + reach : stride] for row in steps for column in steps]
    return jnp.concatenate(seen, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


class Convolution(nn.Module):
    """Grids [B, G, G, D] to [B, G / stride, G / stride, F], with a bias."""

    features: int
    side: int
    dtype: Any
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the convolution of ``x``."""
        kernel = self.param("kernel", ZEROS, (self.side, self.side, x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", ZEROS, (self.features,), jnp.float32)
        return convolved(x, kernel.astype(self.dtype), self.stride) + bias.astype(self.dtype)
