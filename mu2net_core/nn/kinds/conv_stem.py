"""Images as tokens on a coarser grid, by two convolutions (Xiao et al., 2021: a ViT that begins so trains better).

``B`` is the batch, ``H W`` the image, ``C`` its channels, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.convolution import Convolution
from mu2net_core.nn.kinds.drawing import usual
from mu2net_core.nn.kinds.grid import as_tokens, grid_side, group_norm
from mu2net_core.nn.module_kind import ZEROS, ModuleKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["PATCHES", "ConvStem"]

_FIRST, _SECOND = 4, 3
"""Sides of the kernels."""

_STRIDES = {1: (1, 1), 2: (2, 1), 4: (2, 2), 8: (4, 2), 16: (4, 4)}
"""Of both convolutions by the pixels on a side of what becomes one token."""

_LEAST_VARIANCE = 1e-3
"""Of pixels from -1 to 1: about four of 256 shades. Images of less contrast are made stronger by no more than that."""

_LIGHT, _LIGHTS = "light/kernel", 2
"""The array that says what an image's mean and its deviation do, and how many these are."""

_LIGHT_SCALE = 4.0
"""Means and deviations of a data set's images are about a quarter apart; numbers of about 1 are learned from faster."""

PATCHES = tuple(_STRIDES)
"""The sizes of patches that there are strides for."""


class ConvStem(ModuleKind):
    """Sizes: ``patch``, ``channels``, ``stem``, ``width``; ``tokens`` pass, the patches of a square image.

    ``patch`` is how many pixels a token is apart from the next, 1, 2, 4, 8 or 16; ``stem`` the channels in between.
    """

    name = "conv_stem"
    takes_dtype = "uint8"

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [H, W, C]."""
        side = grid_side(spec.size("tokens")) * spec.size("patch")
        return (side, side, spec.size("channels"))

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (spec.size("tokens"), spec.size("width"))

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns both convolutions."""
        del first_only
        return _Stem(_STRIDES[spec.size("patch")], spec.size("stem"), spec.size("width"), dtype)

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns float32 numbers from -1 to 1, whatever ``dtype`` is: what is floating-point is so already."""
        del dtype
        return x.astype(jnp.float32) / 127.5 - 1.0 if x.dtype == jnp.uint8 else x.astype(jnp.float32)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns normal kernels, scales of one, no biases, and nothing that images' light does."""
        del identity
        return 0.0 if name == _LIGHT else usual(name, shape, rng)

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of both convolutions."""
        del first_only
        between, stem = self._between(spec), spec.size("stem")
        first = between * _FIRST**2 * spec.size("channels")
        return 2 * stem * (first + _LIGHTS + spec.size("tokens") * _SECOND**2 * spec.size("width"))

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of all that a kernel sees at each place, of the convolution where these are more."""
        between, stem, tokens = self._between(spec), spec.size("stem"), spec.size("tokens")
        first = between * max(_FIRST**2 * spec.size("channels"), stem)
        return max(first, tokens * max(_SECOND**2 * stem, spec.size("width")))

    def _between(self, spec: LayerSpec) -> int:
        """Returns the places of the grid between the convolutions."""
        return spec.size("tokens") * _STRIDES[spec.size("patch")][1] ** 2


class _Stem(nn.Module):
    """Images [B, H, W, C], from -1 to 1, to tokens [B, T, D].

    The convolution sees each image at mean 0 and deviation 1: thin strokes on a light ground would else drown in what
    it makes of the ground. How light an image is and how strong its contrast, which that takes away, is added to what
    the convolution found, after the normalisation, which would take it away again.
    """

    strides: tuple[int, int]
    stem: int
    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        first, second = self.strides
        x, light = _standardised(x)
        x = Convolution(self.stem, _FIRST, self.dtype, stride=first, name="conv_0")(x.astype(self.dtype))
        lit = nn.Dense(self.stem, use_bias=False, dtype=self.dtype, kernel_init=ZEROS, name="light")(light)
        x = nn.gelu(group_norm(self.stem, dtype=self.dtype, name="norm")(x) + lit[:, None, None, :])
        return as_tokens(Convolution(self.width, _SECOND, self.dtype, stride=second, name="conv_1")(x))


def _standardised(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns each image at mean 0 and deviation 1, and [B, 2] with what its mean and its deviation were."""
    mean = jnp.mean(x, axis=(1, 2, 3), keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=(1, 2, 3), keepdims=True) + _LEAST_VARIANCE
    light = _LIGHT_SCALE * jnp.concatenate([mean, jnp.sqrt(variance)], axis=-1)
    return (x - mean) * jax.lax.rsqrt(variance), light.reshape(-1, _LIGHTS)
