"""A transformer of texts as a row of components, which needs no vocabulary and learns from random numbers.

Bytes become tokens, one for each word or sign (``kinds/byte_embedding.py``), the blocks are those of vision
transformers, and the mean of all tokens is read at the end. A text has as many tokens as it has words and signs: the
others are padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.architecture import Vocabulary
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import Adapter, ByteEmbedding, EncoderBlock, Head, TextPooling
from mu2net_core.nn.kinds.byte_embedding import BYTES_PER_TOKEN
from mu2net_core.nn.kinds.padding import PADDED
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.nn.transformer import TransformerFamily, grown_block
from mu2net_core.objects import Hyperparameter

__all__ = ["ByteTransformer"]


class ByteTransformer(TransformerFamily):
    """The family ``bytes``. Config: ``rows``, ``row_width``, ``positions``, ``width``, ``heads``, ``mlp``.

    The hyperparameter ``text_length`` says how many bytes of a text are read, up to four for each of ``positions``.
    """

    name = "bytes"
    title = "byte transformer"
    kinds = by_name(ByteEmbedding(), Adapter(), EncoderBlock(), TextPooling(), Head())
    always_trainable = frozenset({"text_pooling", "head"})
    vocabulary = Vocabulary(
        depth="num_layers",
        input="text_length",
        added=frozenset({"adapter_dim"}),
        structural=frozenset({"adapter", "block", "heads", "mlp"}),
    )

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns the bytes of a text."""
        return InputSpec(kind="text", shape=(_length(self.sizes(config, hyperparameters)),), dtype="int32")

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, each after its adapter if it has one, pooling and head.

        Raises:
            InvalidInputError: a size is missing or absurd, or the width not one of heads.
        """
        sizes = self.sizes(config, hyperparameters)
        length, width = _length(sizes), sizes.fixed("width")
        if width % sizes.fixed("heads"):
            raise InvalidInputError(
                f"byte transformer: width {width} must be a multiple of heads {sizes.fixed('heads')}."
            )
        tokens = length // BYTES_PER_TOKEN
        flow = {"tokens": tokens, PADDED: 1}
        table = {"rows": sizes.fixed("rows"), "dim": sizes.fixed("row_width"), "positions": sizes.fixed("positions")}
        blocks = (grown_block(k, flow, sizes) for k in range(sizes.blocks))
        return (
            LayerSpec.of(
                "byte_embedding", "byte_embedding", flow={"length": length, "tokens": tokens}, width=width, **table
            ),
            *self.with_adapters(blocks, sizes),
            LayerSpec.of("text_pooling", "text_pooling", flow={"tokens": tokens}, width=width),
            Head.spec(width=width, num_outputs=num_outputs),
        )


def _length(sizes: Sizes) -> int:
    """Returns how many bytes of a text are read: whole tokens, and no more than there are positions for."""
    length = sizes.chosen("text_length", most=BYTES_PER_TOKEN * sizes.fixed("positions"))
    if length % BYTES_PER_TOKEN:
        raise InvalidInputError(
            f"byte transformer: text_length: expected a multiple of {BYTES_PER_TOKEN}, got {length}."
        )
    return length
