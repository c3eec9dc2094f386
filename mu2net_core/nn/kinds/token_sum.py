"""The sum of all tokens, not normalised: of tokens that know nothing of each other it is a sum of what each adds.

That makes a model without blocks a generalized additive model (Hastie and Tibshirani, 1986): what a column adds is the
same whatever the other columns are. A normalisation, which divides by what all of them are, would undo it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.module_kind import ModuleKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["TokenSum"]


class TokenSum(ModuleKind):
    """Size: ``width``; ``tokens`` come, of which those that are padding are zeros and add nothing."""

    name = "token_sum"
    in_float32 = True

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (spec.size("tokens"), spec.size("width"))

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [D]."""
        return (spec.size("width"),)

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns the sum."""
        return jnp.sum(x.astype(dtype), axis=1)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns a product with one number for each dimension."""
        del spec, dtype, first_only
        return _Scaled()

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns a scale of one."""
        del name, shape, rng, identity
        return 1.0

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: it has no dense product."""
        del spec, first_only
        return 0

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of its tokens."""
        return spec.size("tokens") * spec.size("width")


class _Scaled(nn.Module):
    """[B, D] to [B, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.param("scale", nn.initializers.ones, (x.shape[-1],), jnp.float32)
