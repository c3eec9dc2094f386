"""Encoders of texts as others trained them, BERT and its like, as a row of components (Devlin et al., 2019).

Their tokens are those of a tokenizer, which belongs to the embedding; blocks are normalised after what they add; and
what is read at the end is the mean of all tokens, as of MiniLM's sentences, or the first one. Where there is no
tokenizer, tokens are bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import Adapter, EncoderNorm, Head, Lora, PostNormBlock, TokenEmbedding, TokenPooling
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.nn.transformer import TokenFamily
from mu2net_core.objects import Hyperparameter

__all__ = ["Bert"]


class Bert(TokenFamily):
    """The family ``bert``. Config: ``vocabulary``, ``positions``, ``width``, ``heads``, ``mlp``.

    ``tokenizer`` is the hash of the tokenizer and ``tokenizer_bytes`` its length, ``gelu``, ``epsilon`` and ``pooling``
    what published models do otherwise. The hyperparameter ``text_length`` says how many tokens are read.
    """

    name = "bert"
    title = "BERT"
    kinds = by_name(TokenEmbedding(), Adapter(), Lora(), PostNormBlock(), TokenPooling(), EncoderNorm(), Head())
    block_kind = "post_norm_block"
    vocabulary = replace(
        TokenFamily.vocabulary, input="text_length", structural=TokenFamily.vocabulary.structural - {"block"}
    )

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns the tokens of a text."""
        tokenizer = config.get("tokenizer", "")
        if not isinstance(tokenizer, str):
            raise InvalidInputError(f"BERT: tokenizer: expected a hash, got {str(tokenizer)[:80]}.")
        length = _length(self.sizes(config, hyperparameters))
        return InputSpec(kind="text", shape=(length,), dtype="int32", tokenizer=tokenizer)

    def embedding(self, sizes: Sizes) -> LayerSpec:
        """Returns the embedding of a text's tokens, with the tokenizer that makes them."""
        table = {name: sizes.fixed(name) for name in ("vocabulary", "positions", "width")}
        table["tokenizer"] = sizes.fixed("tokenizer_bytes") if sizes.config.get("tokenizer") else 1
        spec = LayerSpec.of("token_embedding", "token_embedding", flow={"tokens": _length(sizes)}, **table)
        return spec.computing({name: value for name, value in sizes.options.items() if name == "epsilon"})

    def pooling(self, tokens: int, sizes: Sizes) -> LayerSpec:
        """Returns the normalisation of the mean of all tokens, or of the first one."""
        if sizes.options.get("pooling") == "mean":
            return super().pooling(tokens, sizes)
        return LayerSpec.of("token_pooling", "encoder_norm", width=sizes.fixed("width"))

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns by name: an adapter before each block without one, and growth of blocks; no block is added."""
        return super().structural(config, hyperparameters, set(kinds) - {"block"})


def _length(sizes: Sizes) -> int:
    """Returns how many tokens of a text are read: no more than there are positions for."""
    return sizes.chosen("text_length", most=sizes.fixed("positions"))
