"""Tokens of a text as published encoders embed them: words and places, added and normalised (Devlin et al., 2019).

The tokenizer belongs to the layer: what a row of the table means, nobody knows without it. Its JSON is an array of
numbers, one for each byte, in which nothing is ever computed, so that it goes wherever the layer goes.

``B`` is the batch, ``L`` the tokens of a text, ``V`` the words there are, ``P`` the places, ``D`` the width.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.kinds.padding import of_present
from mu2net_core.nn.module_kind import ZEROS, IndexKind
from mu2net_core.nn.options import epsilon_of
from mu2net_core.nn.spec import LayerSpec

__all__ = ["TokenEmbedding"]

_STD = 0.02


class TokenEmbedding(IndexKind):
    """Sizes: ``vocabulary``, ``positions``, ``width``, ``tokenizer`` (bytes of it); ``tokens`` pass, padded.

    Option: ``epsilon``. Tokens come as 1 + their ids; 0 is none.
    """

    name = "token_embedding"
    in_float32 = True

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns what looks tokens up."""
        del first_only
        return _Tokens(
            vocabulary=spec.size("vocabulary"),
            positions=spec.size("positions"),
            width=spec.size("width"),
            tokenizer=spec.size("tokenizer"),
            epsilon=epsilon_of(spec),
            dtype=dtype,
        )

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns normal numbers for the tables, a scale of one, no bias, and no tokenizer."""
        del identity
        if name in {"words", "positions"}:
            return rng.standard_normal(shape) * _STD
        return 1.0 if name.endswith("scale") else 0.0

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: nothing is multiplied."""
        del spec, first_only
        return 0


class _Tokens(nn.Module):
    """Tokens [B, L] to [B, L, D]."""

    vocabulary: int
    positions: int
    width: int
    tokenizer: int
    epsilon: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        words = self.param("words", ZEROS, (self.vocabulary, self.width), jnp.float32)
        places = self.param("positions", ZEROS, (self.positions, self.width), jnp.float32)
        self.param("tokenizer", ZEROS, (self.tokenizer,), jnp.float32)
        made = words[jnp.maximum(x - 1, 0)] + places[: x.shape[1]]
        made = nn.LayerNorm(epsilon=self.epsilon, dtype=self.dtype, name="norm")(made)
        return of_present(made, x > 0)
