"""A small residual layer before a block, so that a task can bend what the block gets (Houlsby et al., 2019)."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.drawing import glorot_uniform
from mu2net_core.nn.kinds.padding import is_padded, of_present, present
from mu2net_core.nn.module_kind import EPSILON, ZEROS, TokenKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["Adapter"]

_ROOM = 64
"""The width that slots have room for; wider adapters take the next power of two."""


class Adapter(TokenKind):
    """Sizes: ``dim``, ``width``; ``tokens`` pass. It adds zeros while ``dense_1`` is zero, as every new one's is."""

    name = "adapter"
    joined = "above"
    is_residual = True
    may_be_absent = True
    last = ("dense_1/kernel",)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns the adapter; it computes every token."""
        del first_only
        return _Adapter(spec.size("dim"), is_padded(spec), dtype)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns a Glorot-uniform first kernel, a last one of zeros, a scale of one and no biases."""
        del identity
        if name.endswith("scale"):
            return 1.0
        return glorot_uniform(rng, shape, num_inputs=shape[0]) if name == "dense_0/kernel" else 0.0

    def roomy(self, spec: LayerSpec) -> LayerSpec:
        """Returns a wider adapter; what is padded with zeros adds zeros, and no gradient reaches it."""
        return spec.enlarged("dim", _ROOM)

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of two products for each token."""
        del first_only
        return 4 * spec.size("tokens") * spec.size("dim") * spec.size("width")

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of the wider of both products."""
        return spec.size("tokens") * max(spec.size("width"), spec.size("dim"))


class _Adapter(nn.Module):
    """Tokens [B, T, D] to [B, T, D]."""

    dim: int
    padded: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=ZEROS)
        y = nn.LayerNorm(epsilon=EPSILON, dtype=self.dtype, name="norm")(x)
        made = x + dense(x.shape[-1], name="dense_1")(nn.gelu(dense(self.dim, name="dense_0")(y)))
        return of_present(made, present(x) if self.padded else None)
