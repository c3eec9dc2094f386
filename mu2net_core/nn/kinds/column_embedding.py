"""Rows of a table as tokens, one for each column (Gorishniy et al., 2021).

A number is multiplied by a row of its column's kernel, as it is and by the parts of its rank in each of eight pieces
of the range (Gorishniy et al., 2022), so that the first layer can already bend; a value is looked up in a table that
has rows for all columns' values, for values that are not known and for empty cells. Every column has a bias of its
own. Pieces have the size of the option ``bend``, usually 1. What the four numbers of a cell are,
``data/tables/reading.py`` says. A column that the table has not is padding.

``B`` is the batch, ``F`` the columns, ``D`` the width, ``V`` the rows of the table of values.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.module_kind import ZEROS, ModuleKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["ColumnEmbedding"]

_FEATURES = 4
_PIECES = 8


class ColumnEmbedding(ModuleKind):
    """Sizes: ``columns``, ``values`` (rows of the table of values), ``width``; tokens leave, padded."""

    name = "column_embedding"

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [F, 4]."""
        return (spec.size("columns"), _FEATURES)

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [F, D]."""
        return (spec.size("columns"), spec.size("width"))

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns products of numbers, and a table of values."""
        del first_only
        bend = float(spec.option("bend", 1.0))
        return _Columns(spec.size("columns"), spec.size("values"), spec.size("width"), bend, dtype)

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns cells in float32: the rows of values are whole numbers, and bfloat16 has not all of them."""
        del dtype
        return x.astype(jnp.float32)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns uniform numbers up to one by the root of the width."""
        del name, identity
        limit = 1 / math.sqrt(shape[-1])
        return rng.uniform(-limit, limit, shape)

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of the products of numbers."""
        del first_only
        return 2 * (1 + _PIECES) * spec.size("columns") * spec.size("width")

    def activations(self, spec: LayerSpec) -> int:
        """Returns those of its tokens, before they are added up."""
        return 3 * spec.size("columns") * spec.size("width")


class _Columns(nn.Module):
    """Cells [B, F, 4] to tokens [B, F, D]."""

    columns: int
    values: int
    width: int
    bend: float
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", ZEROS, (self.columns, 1 + _PIECES, self.width), jnp.float32)
        table = self.param("values", ZEROS, (self.values, self.width), jnp.float32)
        bias = self.param("bias", ZEROS, (self.columns, self.width), jnp.float32)
        place = x[..., 2].astype(jnp.int32)
        pieces = self.bend * jnp.clip(x[..., 1:2] * _PIECES - jnp.arange(_PIECES), 0, 1)
        numbers = jnp.where((place == 0)[..., None], jnp.concatenate([x[..., :1], pieces], axis=-1), 0)
        tokens = jnp.einsum("bfk,fkd->bfd", numbers.astype(self.dtype), kernel.astype(self.dtype))
        looked_up = table[jnp.clip(place - 1, 0, self.values - 1)].astype(self.dtype)
        tokens = tokens + jnp.where((place > 0)[..., None], looked_up, 0) + bias.astype(self.dtype)
        return jnp.where((place >= 0)[..., None], tokens, 0).astype(self.dtype)
