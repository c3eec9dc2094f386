"""The block of BERT and its like: attention, then an MLP, each normalised after it was added to its input.

``B`` is the batch, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from mu2net_core.nn.kinds.encoder_block import Attention, EncoderBlock, head_dim
from mu2net_core.nn.kinds.padding import is_padded, of_present, present
from mu2net_core.nn.module_kind import ZEROS
from mu2net_core.nn.options import epsilon_of, gelu_of
from mu2net_core.nn.spec import LayerSpec

__all__ = ["PostNormBlock"]


class PostNormBlock(EncoderBlock):
    """Sizes and options are those of an ``encoder_block``, and so are the names of its arrays.

    What it gets is normalised whatever it adds, so it never passes on just that: none can be added to a model.
    """

    name = "post_norm_block"
    is_residual = False

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns the block; with ``first_only`` it computes the first token alone."""
        sizes = spec.size("heads"), head_dim(spec), spec.size("mlp")
        return _Block(*sizes, first_only, is_padded(spec), gelu_of(spec), epsilon_of(spec), dtype)


class _Block(nn.Module):
    """Tokens [B, T, D] to [B, T, D]; ``only_first`` returns just the first token, [B, 1, D]."""

    heads: int
    head_dim: int
    mlp: int
    only_first: bool
    padded: bool
    gelu: Callable[[jax.Array], jax.Array]
    epsilon: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        norm = partial(nn.LayerNorm, epsilon=self.epsilon, dtype=self.dtype)
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=ZEROS)
        tokens, there = x, present(x) if self.padded else None
        if self.only_first:
            x = x[:, :1]
        attention = Attention(self.heads, self.head_dim, self.dtype, name="attention")
        x = norm(name="norm_attention")(x + attention(x, tokens, there))
        y = self.gelu(dense(self.mlp, name="dense_0")(x))
        x = norm(name="norm_mlp")(x + dense(x.shape[-1], name="dense_1")(y))
        return of_present(x, there if there is None else there[:, : x.shape[1]])
