"""Models of tables as rows of components: transformers (as of Gorishniy et al., 2021) and sums of curves.

Every column of a row becomes a token (``kinds/column_embedding.py``), and the blocks are those of vision transformers.
At the end a transformer reads the mean of all tokens, a sum of curves their sum: as long as it has no blocks, each
column adds what a curve of its own says, whatever the others are. Curves bend less easily than they rise. A model has
room for so many columns and values as its architecture says; those that a table has not are padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import Adapter, ColumnEmbedding, EncoderBlock, Head, Lora, TokenPooling, TokenSum
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.nn.transformer import TokenFamily
from mu2net_core.objects import Hyperparameter

__all__ = ["Curves", "TableTransformer"]

_BEND = 0.25
"""The size of a curve's pieces, beside a number in units of its deviation: smaller ones are learned more slowly, and
cost more under decay, so that a curve is a straight line where few examples say otherwise. Smoothing splines punish
bends, and not slopes, for the same reason (Wood, 2017); chosen on parts of training splits (docs/experiments.md)."""


class TableTransformer(TokenFamily):
    """The family ``table``. Config: ``columns``, ``values``, ``width``, ``heads``, ``mlp``."""

    name = "table"
    title = "table transformer"
    kinds = by_name(ColumnEmbedding(), Adapter(), Lora(), EncoderBlock(), TokenPooling(), Head())
    always_trainable = TokenFamily.always_trainable | {"column_embedding"}
    of_task = frozenset({"column_embedding"})
    vocabulary = replace(TokenFamily.vocabulary, input="")

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns a row of a table: four numbers for each column."""
        columns = self.sizes(config, hyperparameters).fixed("columns")
        return InputSpec(kind="table", shape=(columns, 4), dtype="float32")

    def embedding(self, sizes: Sizes) -> LayerSpec:
        """Returns the embedding of a row's cells."""
        columns, values, width = (sizes.fixed(name) for name in ("columns", "values", "width"))
        return LayerSpec.of("column_embedding", "column_embedding", columns=columns, values=values, width=width)


class Curves(TableTransformer):
    """The family ``curves``, a generalized additive model where there are no blocks. Config as that of ``table``."""

    name = "curves"
    title = "sum of curves"
    kinds = by_name(ColumnEmbedding(), Adapter(), Lora(), EncoderBlock(), TokenSum(), Head())
    always_trainable = frozenset({"token_sum", "head", "column_embedding"})

    def embedding(self, sizes: Sizes) -> LayerSpec:
        """Returns an embedding whose pieces are small."""
        return super().embedding(sizes).computing({"bend": _BEND})

    def pooling(self, tokens: int, sizes: Sizes) -> LayerSpec:
        """Returns the layer that adds the tokens up."""
        return LayerSpec.of("token_sum", "token_sum", flow={"tokens": tokens}, width=sizes.fixed("width"))
