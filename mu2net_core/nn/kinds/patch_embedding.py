"""Images as tokens, one for each patch.

``B`` is the batch, ``H W`` the image, ``T`` the patches, ``D`` the width.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.drawing import truncated_normal
from mu2net_core.nn.module_kind import ZEROS, ModuleKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["PatchEmbedding"]

# A random root must learn where a patch lies before it can learn what it means. With the usual beginnings (LeCun's for
# patches, 0.02 for positions) content drowns position tenfold, and blocks evolved on top of frozen embeddings see a bag
# of patches. This and the one of positions give both about the same size; docs/experiments.md has the measurement.
_VARIANCE = 0.1


class PatchEmbedding(ModuleKind):
    """Sizes: ``patch`` (pixels), ``channels``, ``width``; ``tokens`` pass, the patches of a square image."""

    name = "patch_embedding"
    takes_dtype = "uint8"

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [H, W, C]."""
        side = math.isqrt(spec.size("tokens")) * spec.size("patch")
        return (side, side, spec.size("channels"))

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (spec.size("tokens"), spec.size("width"))

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns the product of patches and a kernel."""
        del first_only
        return _Patches(spec.size("patch"), spec.size("width"), dtype)

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns pixels as numbers from -1 to 1; floating-point images are such already."""
        numbers = x.astype(jnp.float32) / 127.5 - 1.0 if x.dtype == jnp.uint8 else x
        return numbers.astype(dtype)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns a truncated normal kernel, and no bias."""
        del identity
        if name == "bias":
            return 0.0
        return truncated_normal(rng, shape, std=math.sqrt(_VARIANCE / math.prod(shape[:-1])))

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of a product for each patch."""
        del first_only
        return 2 * spec.size("tokens") * spec.size("patch") ** 2 * spec.size("channels") * spec.size("width")


class _Patches(nn.Module):
    """Images [B, H, W, C] to tokens [B, T, D], T = (H / patch) * (W / patch)."""

    patch: int
    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        rows, columns = height // self.patch, width // self.patch
        kernel = self.param("kernel", ZEROS, (self.patch, self.patch, channels, self.width), jnp.float32)
        bias = self.param("bias", ZEROS, (self.width,), jnp.float32)
        x = x.reshape(batch, rows, self.patch, columns, self.patch, channels).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * columns, -1).astype(self.dtype)
        return x @ kernel.reshape(-1, self.width).astype(self.dtype) + bias.astype(self.dtype)
