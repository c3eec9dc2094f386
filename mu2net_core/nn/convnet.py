"""A convolutional model of small images as a row of components.

Two resolutions: a stem of two convolutions and residual blocks (He et al., 2016) on a grid of one token for every
``patch`` pixels, which tasks of all kinds of images can share, then ``num_layers`` blocks on half that grid: ConvNeXt
blocks (Liu et al., 2022), or the encoder blocks that vision transformers have, in any order (Dai et al., 2021, have
them in this one). The mean of all tokens is read at the end. What the layers compute is in ``kinds/``; here is which of
them a model has.

In a model's hyperparameters is what it has beyond ``num_residual_blocks`` and ``num_layers`` plain blocks, too:
``attention_<k>`` makes block k an encoder block of so many heads, ``mlp_<k>`` is the size of an MLP that grew,
``adapter_<k>`` and ``residual_adapter_<k>`` are the widths of residual adapters before blocks of the second stage and
of the first; ``lora_<k>`` is the rank of the change of the matrices of block k of the second stage.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.blocks import LEAST_DIM, MOST_GROWTH, BlockFamily, encoder_block, lora_changes
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import (
    Adapter,
    ConvNextBlock,
    ConvStem,
    Downsampling,
    EncoderBlock,
    Head,
    Lora,
    Pooling,
    PositionEmbedding,
    ResidualBlock,
)
from mu2net_core.nn.kinds.conv_stem import PATCHES
from mu2net_core.nn.kinds.grid import halved
from mu2net_core.nn.sizes import MOST_BLOCKS, Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.objects import Hyperparameter

__all__ = ["ConvNet"]

_KERNEL = 7
"""The side of a ConvNeXt block's convolution."""

_RESIDUAL = "num_residual_blocks"
_STRUCTURE = re.compile(r"(adapter|lora|mlp|attention|residual_adapter)_(0|[1-9][0-9]{0,4})")
_ADAPTERS = {"residual_block": "residual_adapter", "convnext_block": "adapter", "encoder_block": "adapter"}


class ConvNet(BlockFamily):
    """The family ``convnet``.

    Config: ``image`` and ``patch`` (pixels), ``stem``, ``conv_width``, ``width``, ``heads``, ``mlp``, ``channels``. The
    hyperparameter ``image_size``, where there is one, wins over ``image``.
    """

    name = "convnet"
    title = "ConvNet"
    kinds = by_name(
        ConvStem(),
        PositionEmbedding(),
        Adapter(),
        Lora(),
        ResidualBlock(),
        Downsampling(),
        ConvNextBlock(),
        EncoderBlock(),
        Pooling(),
        Head(),
    )
    always_trainable = frozenset({"pooling", "head"})

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns stem, first stage, what leads to the second stage, that, pooling and head.

        Every block comes after its adapter, if it has one.

        Raises:
            InvalidInputError: a size is missing or absurd, the image is not a whole number of patches, or the width
                not of heads.
        """
        sizes = self.sizes(config, hyperparameters)
        tokens, patch, width = sizes.patches, sizes.fixed("patch"), sizes.fixed("width")
        if patch not in PATCHES:
            raise InvalidInputError(f"ConvNet: patch: expected one of {', '.join(map(str, PATCHES))}, got {patch}.")
        narrow, flow = sizes.fixed("conv_width"), {"tokens": tokens}
        stem = {"patch": patch, "channels": sizes.channels, "stem": sizes.fixed("stem"), "width": narrow}
        stages = (
            *(LayerSpec.of(f"residualblock_{k}", "residual_block", flow=flow, width=narrow) for k in _residuals(sizes)),
            LayerSpec.of("downsampling", "downsampling", flow=flow, inputs=narrow, width=width),
            *(_block(k, halved(tokens), sizes) for k in range(sizes.blocks)),
        )
        return (
            LayerSpec.of("conv_stem", "conv_stem", flow=flow, **stem),
            LayerSpec.of("position_embedding", "position_embedding", tokens=tokens, width=narrow),
            *self.with_adapters(stages, sizes),
            LayerSpec.of("pooling", "pooling", flow={"tokens": halved(tokens)}, width=width),
            Head.spec(width=width, num_outputs=num_outputs),
        )

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns by name: an adapter before each block without one, further blocks, and growth of blocks.

        A further block is the last of its stage; of the second stage it is one of either kind.
        """
        sizes, found = self.sizes(config, hyperparameters), dict[str, Mapping[str, Hyperparameter]]()
        if "adapter" in kinds:
            dim = sizes.chosen("adapter_dim", default=LEAST_DIM)
            names = [f"adapter_{k}" for k in range(sizes.blocks)]
            names += [f"residual_adapter_{k}" for k in _residuals(sizes)]
            found |= {f"add:{name}": {name: dim} for name in names if name not in hyperparameters}
        if "lora" in kinds:
            found |= lora_changes(sizes)
        if "block" in kinds:
            more = {"num_layers": sizes.blocks + 1}
            found["grow:block"] = more
            found["grow:attention"] = {f"attention_{sizes.blocks}": sizes.fixed("heads"), **more}
            found["grow:residual"] = {_RESIDUAL: len(_residuals(sizes)) + 1}
        for name, size in (("mlp", "mlp"), ("heads", "attention")):
            plain = sizes.fixed(name)
            step = max(plain // 2, 1) if name == "mlp" else 1
            for k in range(sizes.blocks) if name in kinds else ():
                grown = sizes.chosen(f"{size}_{k}", default=plain) + step
                if grown <= MOST_GROWTH * plain and (name == "mlp" or f"attention_{k}" in hyperparameters):
                    found[f"grow:{name}_{k}"] = {f"{size}_{k}": grown}
        return found

    def added(self, mutation: str, hyperparameters: Mapping[str, Hyperparameter]) -> str | None:
        """Returns the adapter or block that a mutation added; None for growth of what was there."""
        sizes = self.sizes({}, hyperparameters)
        match mutation:
            case "grow:residual":
                return f"residualblock_{len(_residuals(sizes)) - 1}"
            case "grow:block" | "grow:attention":
                last = sizes.blocks - 1
                return f"{'encoder' if f'attention_{last}' in hyperparameters else 'convnext'}block_{last}"
        return mutation.removeprefix("add:") if mutation.startswith("add:") else None

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the structure of blocks that are not there any more."""
        sizes = self.sizes({}, hyperparameters)

        def is_there(name: str) -> bool:
            match = _STRUCTURE.fullmatch(name)
            if match is None:
                return True
            return int(match[2]) < (len(_residuals(sizes)) if match[1] == "residual_adapter" else sizes.blocks)

        return {name: value for name, value in hyperparameters.items() if is_there(name)}

    def adapter_of(self, block: LayerSpec) -> str | None:
        """Returns what an adapter before a layer is called; None if it is no block."""
        name = _ADAPTERS.get(block.kind)
        return None if name is None else f"{name}_{block.name.rpartition('_')[2]}"


def _residuals(sizes: Sizes) -> range:
    """Returns the places of the first stage's blocks."""
    return range(sizes.chosen(_RESIDUAL, default=1, least=0, most=MOST_BLOCKS))


def _block(k: int, tokens: int, sizes: Sizes) -> LayerSpec:
    """Returns block ``k`` of the second stage."""
    mlp = sizes.chosen(f"mlp_{k}", default=sizes.fixed("mlp"))
    width, flow = sizes.fixed("width"), {"tokens": tokens}
    if f"attention_{k}" in sizes.own:
        return encoder_block(k, sizes.chosen(f"attention_{k}"), mlp, flow, sizes)
    return LayerSpec.of(f"convnextblock_{k}", "convnext_block", flow=flow, kernel=_KERNEL, mlp=mlp, width=width)
