"""The vision transformer as a row of components (Dosovitskiy et al., 2021; sizes of Steiner et al., 2021).

Pre-norm blocks, class token, learned position embedding, final LayerNorm, no dropout, zero-initialised head. Only the
class token is read at the end, so the last block computes that one row: the same function, a third of the work. (Some
published models read the mean of the other tokens.) What the layers compute is in ``kinds/``; here is which of them a
model has.

What a model has beyond ``num_layers`` plain blocks is in its hyperparameters too: ``adapter_<k>`` is the width of the
residual adapter before block k, ``mlp_<k>`` and ``heads_<k>`` the sizes of a block that grew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mu2net_core.nn.blocks import LEAST_DIM, MOST_GROWTH, BlockFamily, encoder_block
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import (
    Adapter,
    ClassToken,
    EncoderBlock,
    EncoderNorm,
    Head,
    MeanNorm,
    PatchEmbedding,
    PositionEmbedding,
)
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.objects import Hyperparameter

__all__ = ["VisionTransformer"]

_STRUCTURE = re.compile(r"(adapter|mlp|heads)_(0|[1-9][0-9]{0,4})")


class VisionTransformer(BlockFamily):
    """The family ``vit``. Config: ``image`` and ``patch`` (pixels), ``width``, ``heads``, ``mlp``, ``channels``.

    The hyperparameter ``image_size``, where there is one, wins over ``image``. What published models do otherwise is in
    the config too: ``gelu`` (``tanh``, ``erf``, ``quick``), ``epsilon`` and ``pooling`` (``first``, ``mean``).
    """

    name = "vit"
    title = "ViT"
    kinds = by_name(
        PatchEmbedding(),
        ClassToken(),
        PositionEmbedding(),
        Adapter(),
        EncoderBlock(),
        EncoderNorm(),
        MeanNorm(),
        Head(),
    )
    always_trainable = frozenset({"encoder_norm", "head"})

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, each after its adapter if it has one, norm and head.

        Raises:
            InvalidInputError: a size is missing or absurd, the image is not a whole number of patches, or the width
                not of heads.
        """
        sizes = self.sizes(config, hyperparameters)
        tokens, patch, width = sizes.patches, sizes.fixed("patch"), sizes.fixed("width")
        flow, channels = {"tokens": tokens}, sizes.channels
        blocks = (_block(k, tokens + 1, sizes) for k in range(sizes.blocks))
        return (
            LayerSpec.of("patch_embedding", "patch_embedding", flow=flow, patch=patch, channels=channels, width=width),
            LayerSpec.of("class_token", "class_token", flow=flow, width=width),
            LayerSpec.of("position_embedding", "position_embedding", tokens=tokens + 1, width=width),
            *self.with_adapters(blocks, sizes),
            _norm(tokens + 1, sizes),
            Head.spec(width=width, num_outputs=num_outputs),
        )

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns by name: an adapter before each block without one, and growth of blocks by half or by a block."""
        sizes, found = self.sizes(config, hyperparameters), dict[str, Mapping[str, Hyperparameter]]()
        for k in range(sizes.blocks):
            if "adapter" in kinds and f"adapter_{k}" not in hyperparameters:
                found[f"add:adapter_{k}"] = {f"adapter_{k}": sizes.chosen("adapter_dim", default=LEAST_DIM)}
            for name, step in (("mlp", sizes.fixed("mlp") // 2), ("heads", 1)):
                grown = sizes.chosen(f"{name}_{k}", default=sizes.fixed(name)) + max(step, 1)
                if name in kinds and grown <= MOST_GROWTH * sizes.fixed(name):
                    found[f"grow:{name}_{k}"] = {f"{name}_{k}": grown}
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
        return f"adapter_{block.name.rpartition('_')[2]}" if block.kind == "encoder_block" else None


def _block(k: int, tokens: int, sizes: Sizes) -> LayerSpec:
    heads, mlp = (sizes.chosen(f"{name}_{k}", default=sizes.fixed(name)) for name in ("heads", "mlp"))
    return encoder_block(k, heads, mlp, tokens, sizes)


def _norm(tokens: int, sizes: Sizes) -> LayerSpec:
    """Returns the normalisation of the class token, or of the mean of all others."""
    options, width = sizes.options, sizes.fixed("width")
    spec = LayerSpec.of("encoder_norm", "encoder_norm", width=width)
    if options.get("pooling") == "mean":
        spec = LayerSpec.of("encoder_norm", "mean_norm", flow={"tokens": tokens}, width=width)
    return spec.computing({name: value for name, value in options.items() if name == "epsilon"})


def _block_of(name: str) -> int:
    """Returns the block whose structure a hyperparameter says; -1 if it says none."""
    match = _STRUCTURE.fullmatch(name)
    return -1 if match is None else int(match[2])
