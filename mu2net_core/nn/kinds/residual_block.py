"""Two convolutions added to their input, each after a normalisation (He et al., 2016, with groups for batches).

``B`` is the batch, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.convolution import Convolution
from mu2net_core.nn.kinds.drawing import usual
from mu2net_core.nn.kinds.grid import as_grid, as_tokens, group_norm
from mu2net_core.nn.module_kind import TokenKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["ResidualBlock"]

_KERNEL = 3
_LAST = "conv_1/kernel"


class ResidualBlock(TokenKind):
    """Size: ``width``; ``tokens`` pass, those of a square grid."""

    name = "residual_block"
    is_residual = True
    last = (_LAST,)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns the block; it computes every token."""
        del spec, first_only
        return _Block(dtype)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns normal kernels, scales of one, and no biases."""
        return 0.0 if identity and name == _LAST else usual(name, shape, rng)

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of two convolutions."""
        del first_only
        return 2 * 2 * spec.size("tokens") * _KERNEL**2 * spec.size("width") ** 2

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of all that the kernel sees at each token."""
        return spec.size("tokens") * _KERNEL**2 * spec.size("width")


class _Block(nn.Module):
    """Tokens [B, T, D] to [B, T, D]."""

    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width, y = x.shape[-1], as_grid(x)
        for number in range(2):
            y = nn.gelu(group_norm(width, dtype=self.dtype, name=f"norm_{number}")(y))
            y = Convolution(width, _KERNEL, self.dtype, name=f"conv_{number}")(y)
        return x + as_tokens(y)
