"""The block of BERT and its like: attention, then an MLP, each normalised after it was added to its input.

``B`` is the batch, ``T`` the tokens, ``D`` the width.
"""

from __future__ import annotations

from functools import partial

import jax
from flax import linen as nn

from mu2net_core.nn.kinds.encoder_block import Attention, BlockModule, EncoderBlock
from mu2net_core.nn.kinds.padding import of_present, present
from mu2net_core.nn.module_kind import ZEROS

__all__ = ["PostNormBlock"]


class _PostNorm(BlockModule):
    """The same with normalisations after what is added."""

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


class PostNormBlock(EncoderBlock):
    """Sizes and options are those of an ``encoder_block``, and so are the names of its arrays.

    What it gets is normalised whatever it adds, so it never passes on just that: none can be added to a model.
    """

    name = "post_norm_block"
    is_residual = False
    computed_by = _PostNorm
