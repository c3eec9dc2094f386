"""A transformer of texts as a row of components, which needs no vocabulary and learns from random numbers.

Bytes become tokens, one for each word or sign (``kinds/byte_embedding.py``), the blocks are those of vision
transformers, and the mean and the peaks of all tokens are read at the end. A text has as many tokens as it has words
and signs: the others are padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import Adapter, ByteEmbedding, EncoderBlock, Head, Lora, PeakPooling
from mu2net_core.nn.kinds.byte_embedding import BYTES_PER_TOKEN
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.nn.transformer import TokenFamily
from mu2net_core.objects import Hyperparameter

__all__ = ["ByteTransformer"]


class ByteTransformer(TokenFamily):
    """The family ``bytes``. Config: ``rows``, ``row_width``, ``positions``, ``width``, ``heads``, ``mlp``.

    The hyperparameter ``text_length`` says how many bytes of a text are read, up to four for each of ``positions``.
    """

    name = "bytes"
    title = "byte transformer"
    kinds = by_name(ByteEmbedding(), Adapter(), Lora(), EncoderBlock(), PeakPooling(), Head())
    vocabulary = replace(TokenFamily.vocabulary, input="text_length")

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns the bytes of a text."""
        return InputSpec(kind="text", shape=(_length(self.sizes(config, hyperparameters)),), dtype="int32")

    def embedding(self, sizes: Sizes) -> LayerSpec:
        """Returns the embedding of a text's words and signs."""
        length = _length(sizes)
        return LayerSpec.of(
            "byte_embedding",
            "byte_embedding",
            flow={"length": length, "tokens": length // BYTES_PER_TOKEN},
            rows=sizes.fixed("rows"),
            dim=sizes.fixed("row_width"),
            positions=sizes.fixed("positions"),
            width=sizes.fixed("width"),
        )

    def pooling(self, tokens: int, sizes: Sizes) -> LayerSpec:
        """Returns the layer that makes of so many tokens what the head reads: their mean and their peaks."""
        return replace(super().pooling(tokens, sizes), kind="peak_pooling")


def _length(sizes: Sizes) -> int:
    """Returns how many bytes of a text are read: whole tokens, and no more than there are positions for."""
    length = sizes.chosen("text_length", most=BYTES_PER_TOKEN * sizes.fixed("positions"))
    if length % BYTES_PER_TOKEN:
        raise InvalidInputError(
            f"byte transformer: text_length: expected a multiple of {BYTES_PER_TOKEN}, got {length}."
        )
    return length
