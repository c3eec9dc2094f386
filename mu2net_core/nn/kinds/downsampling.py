"""From one stage of a convolutional model to the next: a quarter of the tokens, and wider ones.

``B`` is the batch, ``T`` the tokens that are left, ``D`` the width.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.convolution import Convolution
from mu2net_core.nn.kinds.drawing import usual
from mu2net_core.nn.kinds.grid import as_grid, as_tokens, group_norm, halved
from mu2net_core.nn.module_kind import ModuleKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["Downsampling"]

_KERNEL = 3


class Downsampling(ModuleKind):
    """Sizes: ``inputs`` (the width below), ``width``; ``tokens`` come, and every second row and column leaves."""

    name = "downsampling"

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [tokens, inputs]."""
        return (spec.size("tokens"), spec.size("inputs"))

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (halved(spec.size("tokens")), spec.size("width"))

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns a normalisation and a convolution."""
        del first_only
        return _Downsampling(spec.size("width"), dtype)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns a normal kernel, a scale of one, and no biases."""
        del identity
        return usual(name, shape, rng)

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of the convolution."""
        del first_only
        tokens, width = self.gives(spec)
        return 2 * tokens * _KERNEL**2 * spec.size("inputs") * width

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of all that the kernel sees at each token that is left, or these if they are more."""
        left, width = self.gives(spec)
        return left * max(_KERNEL**2 * spec.size("inputs"), width)


class _Downsampling(nn.Module):
    """Tokens [B, tokens, inputs] to [B, T, D]."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = group_norm(x.shape[-1], dtype=self.dtype, name="norm")(as_grid(x))
        return as_tokens(Convolution(self.width, _KERNEL, self.dtype, stride=2, name="conv")(x))
