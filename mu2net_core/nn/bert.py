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
from mu2net_core.nn.architecture import Vocabulary
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import Adapter, EncoderNorm, Head, PostNormBlock, TextPooling, TokenEmbedding
from mu2net_core.nn.kinds.padding import PADDED
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.nn.transformer import TransformerFamily, grown_block
from mu2net_core.objects import Hyperparameter

__all__ = ["Bert"]


class Bert(TransformerFamily):
    """The family ``bert``. Config: ``vocabulary``, ``positions``, ``width``, ``heads``, ``mlp``.

    ``tokenizer`` is the hash of the tokenizer and ``tokenizer_bytes`` its length, ``gelu``, ``epsilon`` and ``pooling``
    what published models do otherwise. The hyperparameter ``text_length`` says how many tokens are read.
    """

    name = "bert"
    title = "BERT"
    kinds = by_name(TokenEmbedding(), Adapter(), PostNormBlock(), TextPooling(), EncoderNorm(), Head())
    always_trainable = frozenset({"text_pooling", "head"})
    vocabulary = Vocabulary(
        depth="num_layers",
        input="text_length",
        added=frozenset({"adapter_dim"}),
        structural=frozenset({"adapter", "heads", "mlp"}),
    )

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns the tokens of a text."""
        tokenizer = config.get("tokenizer", "")
        if not isinstance(tokenizer, str):
            raise InvalidInputError(f"BERT: tokenizer: expected a hash, got {str(tokenizer)[:80]}.")
        length = _length(self.sizes(config, hyperparameters))
        return InputSpec(kind="text", shape=(length,), dtype="int32", tokenizer=tokenizer)

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, each after its adapter if it has one, pooling and head.

        Raises:
            InvalidInputError: a size is missing or absurd, or the width not one of heads.
        """
        sizes = self.sizes(config, hyperparameters)
        width, options, flow = sizes.fixed("width"), sizes.options, {"tokens": _length(sizes), PADDED: 1}
        if width % sizes.fixed("heads"):
            raise InvalidInputError(f"BERT: width {width} must be a multiple of heads {sizes.fixed('heads')}.")
        epsilon = {name: value for name, value in options.items() if name == "epsilon"}
        table = {name: sizes.fixed(name) for name in ("vocabulary", "positions", "width")}
        table["tokenizer"] = sizes.fixed("tokenizer_bytes") if config.get("tokenizer") else 1
        blocks = (replace(grown_block(k, flow, sizes), kind="post_norm_block") for k in range(sizes.blocks))
        return (
            LayerSpec.of("token_embedding", "token_embedding", flow=flow, **table).computing(epsilon),
            *self.with_adapters(blocks, sizes),
            _pooling(options, flow, width),
            Head.spec(width=width, num_outputs=num_outputs),
        )

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns by name: an adapter before each block without one, and growth of blocks; no block is added."""
        return super().structural(config, hyperparameters, set(kinds) - {"block"})


def _pooling(options: Mapping[str, str | float], flow: Mapping[str, int], width: int) -> LayerSpec:
    """Returns the normalisation of the mean of all tokens, or of the first one."""
    if options.get("pooling") == "mean":
        return LayerSpec.of("text_pooling", "text_pooling", flow={"tokens": flow["tokens"]}, width=width)
    return LayerSpec.of("text_pooling", "encoder_norm", width=width)


def _length(sizes: Sizes) -> int:
    """Returns how many tokens of a text are read: no more than there are positions for."""
    return sizes.chosen("text_length", most=sizes.fixed("positions"))
