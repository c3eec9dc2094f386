"""The vision transformer as a row of components (Dosovitskiy et al., 2021; sizes of Steiner et al., 2021).

Pre-norm blocks, class token, learned position embedding, final LayerNorm, no dropout, zero-initialised head. Only the
class token is read at the end, so the last block computes that one row: the same function, a third of the work. (Some
published models read the mean of the other tokens.) What the layers compute is in ``kinds/``; here is which of them a
model has, and in ``transformer.py`` how it may grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import (
    Adapter,
    ClassToken,
    EncoderBlock,
    EncoderNorm,
    Head,
    Lora,
    MeanNorm,
    PatchEmbedding,
    PositionEmbedding,
)
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.nn.transformer import TransformerFamily, grown_block
from mu2net_core.objects import Hyperparameter

__all__ = ["VisionTransformer"]


class VisionTransformer(TransformerFamily):
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
        Lora(),
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
        blocks = (grown_block(k, {"tokens": tokens + 1}, sizes) for k in range(sizes.blocks))
        return (
            LayerSpec.of("patch_embedding", "patch_embedding", flow=flow, patch=patch, channels=channels, width=width),
            LayerSpec.of("class_token", "class_token", flow=flow, width=width),
            LayerSpec.of("position_embedding", "position_embedding", tokens=tokens + 1, width=width),
            *self.with_adapters(blocks, sizes),
            _norm(tokens + 1, sizes),
            Head.spec(width=width, num_outputs=num_outputs),
        )


def _norm(tokens: int, sizes: Sizes) -> LayerSpec:
    """Returns the normalisation of the class token, or of the mean of all others."""
    options, width = sizes.options, sizes.fixed("width")
    spec = LayerSpec.of("encoder_norm", "encoder_norm", width=width)
    if options.get("pooling") == "mean":
        spec = LayerSpec.of("encoder_norm", "mean_norm", flow={"tokens": tokens}, width=width)
    return spec.computing({name: value for name, value in options.items() if name == "epsilon"})
