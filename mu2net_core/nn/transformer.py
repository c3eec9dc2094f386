"""What families share whose models are embeddings, ``num_layers`` encoder blocks and what is read from their tokens.

What a model has beyond plain blocks is in its hyperparameters, too: ``adapter_<k>`` is the width of the residual
adapter before block k, ``lora_<k>`` the rank of the change of its matrices, ``mlp_<k>`` and ``heads_<k>`` the sizes of
a block that grew.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.blocks import LEAST_DIM, MOST_GROWTH, BlockFamily, encoder_block, lora_changes
from mu2net_core.nn.kinds import Head
from mu2net_core.nn.kinds.padding import PADDED
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.objects import Hyperparameter

__all__ = ["TokenFamily", "TransformerFamily", "grown_block"]

_STRUCTURE = re.compile(r"(adapter|lora|mlp|heads)_(0|[1-9][0-9]{0,4})")


class TransformerFamily(BlockFamily):
    """A family whose blocks are all encoder blocks; ``heads`` and ``mlp`` of its config are what they begin with."""

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns by name: an adapter and a change of each block without one, and what can grow."""
        sizes, found = self.sizes(config, hyperparameters), dict[str, Mapping[str, Hyperparameter]]()
        for k in range(sizes.blocks):
            if "adapter" in kinds and f"adapter_{k}" not in hyperparameters:
                found[f"add:adapter_{k}"] = {f"adapter_{k}": sizes.chosen("adapter_dim", default=LEAST_DIM)}
            for name, step in (("mlp", sizes.fixed("mlp") // 2), ("heads", 1)):
                grown = sizes.chosen(f"{name}_{k}", default=sizes.fixed(name)) + max(step, 1)
                if name in kinds and grown <= MOST_GROWTH * sizes.fixed(name):
                    found[f"grow:{name}_{k}"] = {f"{name}_{k}": grown}
        if "lora" in kinds:
            found |= lora_changes(sizes)
        if "block" in kinds:
            found["grow:block"] = {"num_layers": sizes.blocks + 1}
        return found

    def added(self, mutation: str, hyperparameters: Mapping[str, Hyperparameter]) -> str | None:
        """Returns the adapter or block that a mutation added; None for growth of what was there."""
        if mutation == "grow:block":
            return f"encoderblock_{self.sizes({}, hyperparameters).blocks - 1}"
        return mutation.removeprefix("add:") if mutation.startswith("add:") else None

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the structure of blocks that are not there any more."""
        blocks = self.sizes({}, hyperparameters).blocks
        return {name: value for name, value in hyperparameters.items() if _block_of(name) < blocks}

    def adapter_of(self, block: LayerSpec) -> str | None:
        """Returns what an adapter before a layer is called; None if it is no block."""
        is_block = block.kind in {"encoder_block", "post_norm_block"}
        return f"adapter_{block.name.rpartition('_')[2]}" if is_block else None


class TokenFamily(TransformerFamily):
    """A family whose examples have tokens of different numbers: embedding, blocks, and what is read of all tokens."""

    always_trainable = frozenset({"token_pooling", "head"})
    block_kind = "encoder_block"
    """Of all blocks."""

    @abstractmethod
    def embedding(self, sizes: Sizes) -> LayerSpec:
        """Returns the layer that makes tokens of an example, those that are padding as zeros."""

    def pooling(self, tokens: int, sizes: Sizes) -> LayerSpec:
        """Returns the layer that makes of so many tokens what the head reads: the normalisation of their mean."""
        return LayerSpec.of("token_pooling", "token_pooling", flow={"tokens": tokens}, width=sizes.fixed("width"))

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, each after its adapter if it has one, pooling and head.

        Raises:
            InvalidInputError: a size is missing or absurd, or the width not one of heads.
        """
        sizes = self.sizes(config, hyperparameters)
        width, heads = sizes.fixed("width"), sizes.fixed("heads")
        if width % heads:
            raise InvalidInputError(f"{self.title}: width {width} must be a multiple of heads {heads}.")
        embedding = self.embedding(sizes)
        tokens, _ = self.kind(embedding).gives(embedding)
        plain = (grown_block(k, {"tokens": tokens, PADDED: 1}, sizes) for k in range(sizes.blocks))
        blocks = (replace(block, kind=self.block_kind) for block in plain)
        return (
            embedding,
            *self.with_adapters(blocks, sizes),
            self.pooling(tokens, sizes),
            Head.spec(width=width, num_outputs=num_outputs),
        )


def grown_block(k: int, flow: Mapping[str, int], sizes: Sizes) -> LayerSpec:
    """Returns the encoder block at place ``k``, as large as it grew."""
    heads, mlp = (sizes.chosen(f"{name}_{k}", default=sizes.fixed(name)) for name in ("heads", "mlp"))
    return encoder_block(k, heads, mlp, flow, sizes)


def _block_of(name: str) -> int:
    """Returns the block whose structure a hyperparameter says; -1 if it says none."""
    match = _STRUCTURE.fullmatch(name)
    return -1 if match is None else int(match[2])
