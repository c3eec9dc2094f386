"""A transformer of tables as a row of components (the FT-Transformer of Gorishniy et al., 2021, but for what is said).

Every column of a row becomes a token (``kinds/column_embedding.py``), the blocks are those of vision transformers, and
the mean of all tokens is read at the end: of a model without blocks that is a sum of one curve for each column. A model
has room for so many columns and values as its architecture says; those that a table has not are padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.architecture import Vocabulary
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import Adapter, ColumnEmbedding, EncoderBlock, Head, TextPooling
from mu2net_core.nn.kinds.padding import PADDED
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.nn.transformer import TransformerFamily, grown_block
from mu2net_core.objects import Hyperparameter

__all__ = ["TableTransformer"]


class TableTransformer(TransformerFamily):
    """The family ``table``. Config: ``columns``, ``values``, ``width``, ``heads``, ``mlp``."""

    name = "table"
    title = "table transformer"
    kinds = by_name(ColumnEmbedding(), Adapter(), EncoderBlock(), TextPooling(), Head())
    always_trainable = frozenset({"column_embedding", "text_pooling", "head"})
    of_task = frozenset({"column_embedding"})
    vocabulary = Vocabulary(
        depth="num_layers",
        added=frozenset({"adapter_dim"}),
        structural=frozenset({"adapter", "block", "heads", "mlp"}),
    )

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns a row of a table: four numbers for each column."""
        columns = self.sizes(config, hyperparameters).fixed("columns")
        return InputSpec(kind="table", shape=(columns, 4), dtype="float32")

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, each after its adapter if it has one, pooling and head.

        Raises:
            InvalidInputError: a size is missing or absurd, or the width not one of heads.
        """
        sizes = self.sizes(config, hyperparameters)
        columns, width, heads = (sizes.fixed(name) for name in ("columns", "width", "heads"))
        if width % heads:
            raise InvalidInputError(f"table transformer: width {width} must be a multiple of heads {heads}.")
        blocks = (grown_block(k, {"tokens": columns, PADDED: 1}, sizes) for k in range(sizes.blocks))
        return (
            LayerSpec.of(
                "column_embedding", "column_embedding", columns=columns, values=sizes.fixed("values"), width=width
            ),
            *self.with_adapters(blocks, sizes),
            LayerSpec.of("text_pooling", "text_pooling", flow={"tokens": columns}, width=width),
            Head.spec(width=width, num_outputs=num_outputs),
        )
