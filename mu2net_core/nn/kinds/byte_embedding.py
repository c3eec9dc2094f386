"""Bytes of a text as tokens, one for each word, number, sign or character of a script that has no spaces.

There is no vocabulary: a token is the sum of what a table knows of its whole word, of that after the one before it,
and of the pieces of one, three and four bytes that end in it, each at the row that its hash says. fastText (Bojanowski
et al., 2017, of pieces; Joulin et al., 2017, of pairs of words) and the Byte Latent Transformer (Pagnoni et al., 2024)
have such embeddings, and the latter can end patches at spaces, too. Upper case of ASCII counts as lower case, but of
single bytes.

``B`` is the batch, ``L`` the bytes of a text, ``T`` its tokens, ``R`` the rows of the table, ``E`` their width, ``D``
that of tokens.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.drawing import truncated_normal
from mu2net_core.nn.kinds.padding import of_present
from mu2net_core.nn.module_kind import ZEROS, IndexKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["BYTES_PER_TOKEN", "ByteEmbedding"]

BYTES_PER_TOKEN = 4
"""A text of L bytes has room for L / 4 tokens: few English ones have more (docs/texts.md)."""

_PIECES = (1, 3, 4)
_ROW_STD, _POSITION_STD = 0.03, 0.1
_GAIN = 10
"""What is looked up is so many times a row. Few examples ever name a row, and AdamW moves it by about the learning rate
each time: with rows ten times as small, what they say changes ten times as fast (docs/experiments.md)."""
_MULTIPLIER = 0x01000193  # of FNV-1a
_WITHOUT_SPACES = 0xE3
"""Bytes from here on begin characters of scripts that set no spaces, as Chinese and Japanese: each is a token."""


class ByteEmbedding(IndexKind):
    """Sizes: ``rows``, ``dim`` (of a row), ``positions``, ``width``; ``length`` bytes come, ``tokens`` leave, padded.

    Bytes come as numbers from 1 to 256; 0 is none.
    """

    name = "byte_embedding"
    takes_below = 257

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [L]."""
        return (spec.size("length"),)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns what looks words and their pieces up."""
        del first_only
        return _Bytes(
            rows=spec.size("rows"),
            dim=spec.size("dim"),
            positions=spec.size("positions"),
            width=spec.size("width"),
            tokens=spec.size("tokens"),
            dtype=dtype,
        )

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns normal numbers for the table and the positions, a truncated normal kernel, and no bias."""
        del identity
        if name == "bias":
            return 0.0
        if name == "kernel":
            return truncated_normal(rng, shape, std=1 / math.sqrt(shape[0]))
        return rng.standard_normal(shape) * (_POSITION_STD if name == "positions" else _ROW_STD)

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of adding up each token's pieces, and of one product for each token."""
        del first_only
        return 2 * spec.size("tokens") * spec.size("dim") * (spec.size("length") + spec.size("width"))

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of every byte's pieces, and of which token each byte is in."""
        length, tokens = spec.size("length"), spec.size("tokens")
        return max(length * (spec.size("dim") + tokens), tokens * spec.size("width"))


class _Bytes(nn.Module):
    """Bytes [B, L] to tokens [B, T, D]."""

    rows: int
    dim: int
    positions: int
    width: int
    tokens: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        table = self.param("table", ZEROS, (self.rows, self.dim), jnp.float32)
        kernel = self.param("kernel", ZEROS, (self.dim, self.width), jnp.float32)
        bias = self.param("bias", ZEROS, (self.width,), jnp.float32)
        places = self.param("positions", ZEROS, (self.positions, self.width), jnp.float32)
        token, within = _words(x)
        belongs = token[:, None, :] == jnp.arange(self.tokens)[None, :, None]  # [B, T, L]
        size = jnp.sum(belongs, axis=-1)  # bytes in each token, [B, T]
        pieces = jnp.einsum("btl,ble->bte", belongs.astype(jnp.float32), _rows_of(table, _pieces(x, within)))
        made = pieces / jnp.sqrt(jnp.maximum(size * len(_PIECES), 1))[..., None]
        words = _whole_words(x, belongs, within)
        made += _rows_of(table, jnp.stack([words, _pairs(words)], axis=-1))
        made = made.astype(self.dtype) @ kernel.astype(self.dtype) + bias.astype(self.dtype)
        made += places[: self.tokens].astype(self.dtype)
        return of_present(made, size > 0)


def _words(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns of each byte the token that it is in, -1 of spaces and of none, and its place in that: int32 [B, L]."""
    byte = x - 1
    is_letter = ((_folded(x) >= ord("a")) & (_folded(x) <= ord("z"))) | (byte >= 0x80)
    in_word = is_letter | ((byte >= ord("0")) & (byte <= ord("9")))
    is_sign = (byte > ord(" ")) & ~in_word
    after_word = jnp.pad(in_word[:, :-1], ((0, 0), (1, 0)))
    starts = (in_word & ~after_word) | is_sign | (byte >= _WITHOUT_SPACES)
    number = jnp.cumsum(starts, axis=1, dtype=jnp.int32) - 1
    places = jnp.arange(x.shape[1], dtype=jnp.int32)[None]
    began = jax.lax.cummax(jnp.where(starts, places, 0), axis=1)
    return jnp.where(in_word | is_sign, number, -1), places - began


def _folded(x: jax.Array) -> jax.Array:
    """Returns bytes, 0 to 255, with those of A to Z as a to z; -1 of none."""
    byte = x - 1
    return byte + 32 * ((byte >= ord("A")) & (byte <= ord("Z")))


def _pieces(x: jax.Array, within: jax.Array) -> jax.Array:
    """Returns a hash for each piece of a token that ends at a byte, uint32 [B, L, K].

    One that would begin before the token has zeros there; that of one byte keeps its case.
    """
    folded, length = _folded(x).astype(jnp.uint32), x.shape[1]
    before = jnp.pad(folded, ((0, 0), (max(_PIECES), 0)))
    hashes = [_mixed(x.astype(jnp.uint32), 1)]
    for size in _PIECES[1:]:
        ended = jnp.zeros_like(folded)
        for back in range(size):
            begin = before.shape[1] - length - back
            inside = jnp.where(within >= back, before[:, begin : begin + length] + 1, 0)
            ended = ended * _MULTIPLIER + inside
        hashes.append(_mixed(ended, size))
    return jnp.stack(hashes, axis=-1)


def _whole_words(x: jax.Array, belongs: jax.Array, within: jax.Array) -> jax.Array:
    """Returns the hash of each token's bytes, uint32 [B, T]: the sum of every byte times a power for its place."""
    powers = jnp.asarray(_powers(x.shape[1]))[within]
    each = (_folded(x).astype(jnp.uint32) + 1) * powers
    summed = jnp.sum(jnp.where(belongs, each[:, None, :], 0), axis=-1, dtype=jnp.uint32)
    return _mixed(summed, 0)


def _pairs(words: jax.Array) -> jax.Array:
    """Returns the hash of each token and the one before it, uint32 [B, T]; before the first one is 0."""
    before = jnp.pad(words[:, :-1], ((0, 0), (1, 0)))
    return _mixed(words * jnp.uint32(_MULTIPLIER) + before, max(_PIECES) + 1)


def _powers(count: int) -> np.ndarray:
    """Returns the first powers of the multiplier, uint32, as they overflow."""
    return np.array([pow(int(_MULTIPLIER), place + 1, 2**32) for place in range(count)], np.uint32)


def _mixed(hashes: jax.Array, seed: int) -> jax.Array:
    """Returns hashes whose bits all depend on each other (the finalizer of MurmurHash3)."""
    hashes = hashes ^ jnp.uint32(0x9E3779B1 * (seed + 1) % 2**32)
    hashes = (hashes ^ (hashes >> 16)) * jnp.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> 13)) * jnp.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> 16)


def _rows_of(table: jax.Array, hashes: jax.Array) -> jax.Array:
    """Returns the sum of what the rows that hashes [B, N, K] name say, [B, N, E]."""
    rows = (hashes % jnp.uint32(len(table))).astype(jnp.int32)
    return _GAIN * jnp.sum(table[rows], axis=-2)
