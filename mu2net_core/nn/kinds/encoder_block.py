"""The block of a transformer's encoder: attention, then an MLP, each after a normalisation and added to its input.

``B`` is the batch, ``T`` the tokens, ``D`` the width, ``Q`` the tokens that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.drawing import glorot_uniform
from mu2net_core.nn.kinds.padding import is_padded, of_present, present
from mu2net_core.nn.module_kind import ZEROS, TokenKind
from mu2net_core.nn.options import epsilon_of, gelu_of
from mu2net_core.nn.spec import LayerSpec

__all__ = ["Attention", "BlockModule", "EncoderBlock"]

_BIAS_STD = 1e-6
_OUT = "attention/out/kernel"


class Attention(nn.Module):
    """Multi-head self-attention: queries [B, Q, D] over tokens [B, T, D] that are there, [B, T], to [B, Q, D]."""

    heads: int
    head_dim: int
    dtype: Any

    @nn.compact
    def __call__(self, queries: jax.Array, tokens: jax.Array, there: jax.Array | None) -> jax.Array:
        """Returns what the queries find among the tokens."""
        dense = partial(nn.DenseGeneral, features=(self.heads, self.head_dim), dtype=self.dtype, kernel_init=ZEROS)
        query, key, value = dense(name="query")(queries), dense(name="key")(tokens), dense(name="value")(tokens)
        mask = None if there is None else there[:, None, None, :]
        mixed = jax.nn.dot_product_attention(query, key, value, mask=mask)
        out = nn.DenseGeneral(tokens.shape[-1], axis=(-2, -1), dtype=self.dtype, kernel_init=ZEROS, name="out")
        return out(mixed)


class BlockModule(nn.Module):
    """A block on tokens [B, T, D]; ``only_first`` returns just the first token, [B, 1, D]. Norms come first here."""

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
        """Returns the tokens, with what attention and the MLP add to them."""
        norm = partial(nn.LayerNorm, epsilon=self.epsilon, dtype=self.dtype)
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=ZEROS)
        there = present(x) if self.padded else None
        tokens = norm(name="norm_attention")(x)
        if self.only_first:
            x = x[:, :1]
        attention = Attention(self.heads, self.head_dim, self.dtype, name="attention")
        x = x + attention(tokens[:, : x.shape[1]], tokens, there)
        y = norm(name="norm_mlp")(x)
        y = self.gelu(dense(self.mlp, name="dense_0")(y))
        x = x + dense(x.shape[-1], name="dense_1")(y)
        return of_present(x, there if there is None else there[:, : x.shape[1]])


class EncoderBlock(TokenKind):
    """Sizes: ``heads``, ``mlp``, ``width``, and ``head_dim`` where it is not width / heads; ``tokens`` pass, or padded.

    Options: ``gelu`` and ``epsilon``.
    """

    name = "encoder_block"
    is_residual = True
    last = (_OUT, "dense_1/kernel")
    computed_by: type[BlockModule] = BlockModule

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns the block; with ``first_only`` it computes the first token alone."""
        return self.computed_by(
            heads=spec.size("heads"),
            head_dim=_head_dim(spec),
            mlp=spec.size("mlp"),
            only_first=first_only,
            padded=is_padded(spec),
            gelu=gelu_of(spec),
            epsilon=epsilon_of(spec),
            dtype=dtype,
        )

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns Glorot-uniform kernels, scales of one, and biases of nearly nothing for the MLP, else none."""
        if name.endswith("scale"):
            return 1.0
        if name.endswith("kernel"):
            still = identity and name in self.last
            inputs = prod(shape[:-1]) if name == _OUT else shape[0]
            return 0.0 if still else glorot_uniform(rng, shape, num_inputs=inputs)
        return rng.standard_normal(shape) * _BIAS_STD if name.startswith("dense_") and not identity else 0.0

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of keys and values for all tokens, and of all else for the tokens that are asked for."""
        tokens, width = self.takes(spec)
        queries, inner = 1 if first_only else tokens, spec.size("heads") * _head_dim(spec)
        projections = 2 * width * inner * (2 * tokens + 2 * queries)
        return projections + 4 * queries * tokens * inner + 4 * queries * width * spec.size("mlp")

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of the wider of tokens and MLP, and the attention of every token to every other."""
        tokens, width = self.takes(spec)
        return tokens * max(width, spec.size("mlp")) + spec.size("heads") * tokens**2


def _head_dim(spec: LayerSpec) -> int:
    return spec.size("head_dim", spec.size("width") // spec.size("heads"))
