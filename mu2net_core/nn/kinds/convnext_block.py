"""A wide convolution of each channel, then an MLP, added to their input (Liu et al., 2022: ConvNeXt).

Where an encoder block mixes tokens by attention this does by where they lie, and so learns from fewer examples. ``B``
is the batch, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.depthwise import depthwise, depthwise_flops
from mu2net_core.nn.kinds.drawing import glorot_uniform, usual
from mu2net_core.nn.kinds.grid import as_grid, as_tokens, grid_side
from mu2net_core.nn.module_kind import EPSILON, ZEROS, TokenKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["ConvNextBlock"]

_MIXING, _LAST = "depthwise/kernel", "dense_1/kernel"


class ConvNextBlock(TokenKind):
    """Sizes: ``kernel`` (the convolution's side, odd), ``mlp``, ``width``; ``tokens`` pass, those of a square grid."""

    name = "convnext_block"
    is_residual = True
    last = (_LAST,)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns the block; it computes every token."""
        del first_only
        return _Block(spec.size("kernel"), spec.size("mlp"), dtype)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns a normal kernel of the convolution, Glorot-uniform ones of the MLP, scales of one, and no biases."""
        if name == _MIXING or not name.endswith("kernel"):
            return usual(name, shape, rng)
        return 0.0 if identity and name == _LAST else glorot_uniform(rng, shape, num_inputs=shape[0])

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of the products that the convolution is computed by, and of the MLP."""
        del first_only
        tokens, width = self.takes(spec)
        mixing = depthwise_flops(grid_side(tokens), spec.size("kernel"), width)
        return mixing + 4 * tokens * width * spec.size("mlp")

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of the wider of the rows that the convolution reaches and the MLP."""
        return spec.size("tokens") * max(spec.size("kernel") * spec.size("width"), spec.size("mlp"))


class _Depthwise(nn.Module):
    """Tokens [B, T, D] to [B, T, D], each channel by itself."""

    kernel: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", ZEROS, (self.kernel, self.kernel, x.shape[-1]), jnp.float32)
        bias = self.param("bias", ZEROS, (x.shape[-1],), jnp.float32)
        return as_tokens(depthwise(as_grid(x), kernel.astype(self.dtype))) + bias.astype(self.dtype)


class _Block(nn.Module):
    """Tokens [B, T, D] to [B, T, D]."""

    kernel: int
    mlp: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=ZEROS)
        y = _Depthwise(self.kernel, self.dtype, name="depthwise")(x)
        y = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="norm")(y)
        return x + dense(x.shape[-1], name="dense_1")(nn.gelu(dense(self.mlp, name="dense_0")(y)))
