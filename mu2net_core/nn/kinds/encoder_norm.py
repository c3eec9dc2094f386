"""The normalisation after the last block, of the one token that outputs are read from."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.module_kind import EPSILON, ModuleKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["EncoderNorm"]


class EncoderNorm(ModuleKind):
    """Size: ``width``. It takes the first token only, so that the block below need not compute the others."""

    name = "encoder_norm"
    reads_first = True
    in_float32 = True

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [D]."""
        return (spec.size("width"),)

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [D]."""
        return self.takes(spec)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns a layer normalisation."""
        del spec, dtype, first_only
        return nn.LayerNorm(epsilon=EPSILON)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns a scale of one, and no bias."""
        del shape, rng, identity
        return 1.0 if name == "scale" else 0.0

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: it has no dense product."""
        del spec, first_only
        return 0
