"""A convolution of each channel by itself, as products of matrices.

XLA has no program for it that is fit for a CPU: one of 7 x 7 on 4 x 4 tokens of 128 channels takes hundreds of times as
long as what is here (docs/experiments.md). A kernel that is moved over a grid is a matrix with the kernel's numbers on
its diagonals, a Toeplitz matrix, of each channel. On small grids it goes from all tokens to all tokens; on larger ones,
where that would be mostly zeros, from each row of tokens to those that the kernel reaches.

``B`` is the batch, ``G`` the side of a grid, ``D`` the channels, ``N`` the side of a kernel.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["depthwise", "depthwise_flops"]

_DENSE = 8
"""The side of the largest grid that all of is multiplied with all."""


def depthwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the convolution of ``x`` [B, G, G, D] with ``kernel`` [N, N, D], N odd, zeros around the grid."""
    return _from_all(x, kernel) if x.shape[1] <= _DENSE else _from_rows(x, kernel)


def depthwise_flops(side: int, kernel: int, width: int) -> int:
    """Returns 2 per multiply-add of ``depthwise`` on one grid of that side."""
    return 2 * width * side**3 * (side if side <= _DENSE else kernel)


def _from_all(x: jax.Array, kernel: jax.Array) -> jax.Array:
    batch, side, _, width = x.shape
    matrices = _toeplitz(_toeplitz(kernel, 0, side), 2, side)  # [G out, G in, G out, G in, D]
    matrices = matrices.transpose(4, 0, 2, 1, 3).reshape(width, side**2, side**2)
    made = jnp.einsum("btd,dst->bsd", x.reshape(batch, side**2, width), matrices)
    return made.reshape(x.shape)


def _from_rows(x: jax.Array, kernel: jax.Array) -> jax.Array:
    side, reach = x.shape[1], kernel.shape[0]
    around = jnp.pad(x, ((0, 0), (reach // 2, reach // 2), (0, 0), (0, 0)))
    rows = jnp.stack([around[:, first : first + side] for first in range(reach)], axis=2)  # [B, G, N, G in, D]
    return jnp.einsum("brnid,noid->brod", rows, _toeplitz(kernel, 1, side))


def _toeplitz(kernel: jax.Array, axis: int, side: int) -> jax.Array:
    """Returns ``kernel`` with its axis of N as two, [side, side]: what each place has of each of those around it."""
    reach = kernel.shape[axis]
    beyond = side - 1 - reach // 2
    if beyond < 0:
        wide = jax.lax.slice_in_dim(kernel, -beyond, reach + beyond, axis=axis)
    else:
        wide = jnp.pad(kernel, [(beyond, beyond) if place == axis else (0, 0) for place in range(kernel.ndim)])
    places = (jax.lax.slice_in_dim(wide, side - 1 - out, 2 * side - 1 - out, axis=axis) for out in range(side))
    return jnp.stack(list(places), axis=axis)
