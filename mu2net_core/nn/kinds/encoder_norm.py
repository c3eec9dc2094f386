"""The normalisation after the last block, of what outputs are read from: one token, or the mean of all patches."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.module_kind import ModuleKind
from mu2net_core.nn.options import epsilon_of
from mu2net_core.nn.spec import LayerSpec

__all__ = ["EncoderNorm", "MeanNorm"]


class EncoderNorm(ModuleKind):
    """Size: ``width``; option: ``epsilon``. It takes the first token only: the block below computes no other."""

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
        del dtype, first_only
        return nn.LayerNorm(epsilon=epsilon_of(spec))

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


class MeanNorm(EncoderNorm):
    """The same of the mean of all tokens but the first, the class token; ``tokens`` come."""

    name = "mean_norm"
    reads_first = False

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (spec.size("tokens"), spec.size("width"))

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [D]."""
        return (spec.size("width"),)

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns the mean."""
        return jnp.mean(x[:, 1:].astype(dtype), axis=1)

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of its tokens."""
        return spec.size("tokens") * spec.size("width")
