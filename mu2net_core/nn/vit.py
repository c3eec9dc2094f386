"""The vision transformer as a row of components (Dosovitskiy et al., 2021; sizes of Steiner et al., 2021).

Pre-norm blocks, class token, learned position embedding, final LayerNorm, no dropout, zero-initialised head. Only the
class token is read at the end, so the last block computes that one row: the same function, a third of the work. What
the layers compute is in ``kinds/``; here is which of them a model has.

What a model has beyond ``num_layers`` plain blocks is in its hyperparameters too: ``adapter_<k>`` is the width of the
residual adapter before block k, ``mlp_<k>`` and ``heads_<k>`` the sizes of a block that grew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.architecture import ArchitectureFamily, Vocabulary
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.kind import by_name
from mu2net_core.nn.kinds import (
    Adapter,
    ClassToken,
    EncoderBlock,
    EncoderNorm,
    Head,
    PatchEmbedding,
    PositionEmbedding,
)
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.objects import Hyperparameter

__all__ = ["VisionTransformer"]

_LARGEST = 2**24
_MOST_BLOCKS = 10_000
_MOST_GROWTH = 4
"""A block's MLP and its heads grow to this multiple of what the architecture says, no further."""

_LEAST_DIM = 32
"""The width of an adapter where nothing is said."""

_MOST_DIM, _NARROW = 4, 128
"""An adapter is at most ``_MOST_DIM`` times the width, or ``_NARROW`` where that is more."""
_STRUCTURE = re.compile(r"(adapter|mlp|heads)_(0|[1-9][0-9]{0,4})")


class VisionTransformer(ArchitectureFamily):
    """The family ``vit``. Config: ``image`` and ``patch`` (pixels), ``width``, ``heads``, ``mlp``, ``channels``.

    The hyperparameter ``image_size``, where there is one, wins over ``image``.
    """

    name = "vit"
    kinds = by_name(
        PatchEmbedding(), ClassToken(), PositionEmbedding(), Adapter(), EncoderBlock(), EncoderNorm(), Head()
    )
    head = "head"
    always_trainable = frozenset({"encoder_norm", "head"})
    vocabulary = Vocabulary(
        depth="num_layers",
        input="image_size",
        added=frozenset({"adapter_dim"}),
        structural=frozenset({"adapter", "block", "heads", "mlp"}),
    )

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, each after its adapter if it has one, norm and head.

        Raises:
            InvalidInputError: a size is missing or absurd, the image is not a whole number of patches, or the width
                not of heads.
        """
        image, patch, width = _image(config, hyperparameters), _size(config, "patch"), _size(config, "width")
        heads, channels = _size(config, "heads"), _channels(config)
        if image % patch or width % heads:
            raise InvalidInputError(
                f"ViT: image {image} must be a multiple of patch {patch}, and width {width} of heads {heads}."
            )
        tokens = (image // patch) ** 2
        flow = {"tokens": tokens}
        blocks = range(_size(hyperparameters, "num_layers", least=0, most=_MOST_BLOCKS))
        return (
            LayerSpec.of("patch_embedding", "patch_embedding", flow=flow, patch=patch, channels=channels, width=width),
            LayerSpec.of("class_token", "class_token", flow=flow, width=width),
            LayerSpec.of("position_embedding", "position_embedding", tokens=tokens + 1, width=width),
            *(spec for k in blocks for spec in _block(k, config, hyperparameters, tokens + 1)),
            LayerSpec.of("encoder_norm", "encoder_norm", width=width),
            Head.spec(width=width, num_outputs=num_outputs),
        )

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns square images of the side that the model is made for."""
        return InputSpec.image(_image(config, hyperparameters), _channels(config))

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns by name: an adapter before each block without one, and growth of blocks by half or by a block."""
        blocks = _size(hyperparameters, "num_layers", least=0, most=_MOST_BLOCKS)
        found: dict[str, Mapping[str, Hyperparameter]] = {}
        for k in range(blocks):
            if "adapter" in kinds and f"adapter_{k}" not in hyperparameters:
                found[f"add:adapter_{k}"] = {f"adapter_{k}": _own(hyperparameters, "adapter_dim", _LEAST_DIM)}
            for name, step in (("mlp", _size(config, "mlp") // 2), ("heads", 1)):
                grown = _own(hyperparameters, f"{name}_{k}", _size(config, name)) + max(step, 1)
                if name in kinds and grown <= _MOST_GROWTH * _size(config, name):
                    found[f"grow:{name}_{k}"] = {f"{name}_{k}": grown}
        if "block" in kinds:
            found["grow:block"] = {"num_layers": blocks + 1}
        return found

    def added(self, mutation: str, hyperparameters: Mapping[str, Hyperparameter]) -> str | None:
        """Returns the adapter or block that a mutation added; None for growth of what was there."""
        if mutation == "grow:block":
            return f"encoderblock_{_size(hyperparameters, 'num_layers') - 1}"
        return mutation.removeprefix("add:") if mutation.startswith("add:") else None

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the structure of blocks that are not there any more."""
        blocks = _size(hyperparameters, "num_layers", least=0, most=_MOST_BLOCKS)
        return {name: value for name, value in hyperparameters.items() if _block_of(name) < blocks}

    def slots(self, specs: Sequence[LayerSpec], kinds: Collection[str]) -> tuple[LayerSpec, ...]:
        """Returns the layers' slots, with one for an adapter before every block, if there can be any."""
        if "adapter" not in kinds and not any(spec.kind == "adapter" for spec in specs):
            return tuple(map(self.roomy, specs))
        filled: list[LayerSpec] = []
        for spec, before in zip(specs, (None, *specs), strict=False):
            if spec.kind == "encoder_block" and (before is None or before.kind != "adapter"):
                block = int(spec.name.rpartition("_")[2])
                filled.append(self.roomy(_adapter(block, _LEAST_DIM, spec.size("tokens"), spec.size("width"))))
            filled.append(self.roomy(spec))
        return tuple(filled)


def _image(config: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> int:
    """Returns the height and width, in pixels, of the images that a model takes."""
    return _size(hyperparameters, "image_size") if "image_size" in hyperparameters else _size(config, "image")


def _channels(config: Mapping[str, Any]) -> int:
    """Returns the numbers per pixel: 3 of colour, 1 of grey."""
    if (channels := _size(config, "channels")) not in {1, 3}:
        raise InvalidInputError(f"ViT: channels: expected 1 or 3, got {channels}.")
    return channels


def _size(values: Mapping[str, Any], name: str, *, least: int = 1, most: int = _LARGEST) -> int:
    size = values.get(name)
    if isinstance(size, bool) or not isinstance(size, int) or not least <= size <= most:
        raise InvalidInputError(f"ViT: {name}: expected a whole number from {least} to {most}, got {str(size)[:80]}.")
    return size


def _own(hyperparameters: Mapping[str, Any], name: str, default: int) -> int:
    return _size(hyperparameters, name) if name in hyperparameters else default


def _block(k: int, config: Mapping[str, Any], own: Mapping[str, Any], tokens: int) -> list[LayerSpec]:
    """Returns block ``k``, after its adapter if it has one."""
    width, plain = _size(config, "width"), _size(config, "heads")
    heads, mlp = _own(own, f"heads_{k}", plain), _own(own, f"mlp_{k}", _size(config, "mlp"))
    more = {} if heads == plain else {"head_dim": width // plain}
    block = LayerSpec.of(
        f"encoderblock_{k}", "encoder_block", flow={"tokens": tokens}, heads=heads, mlp=mlp, width=width, **more
    )
    if f"adapter_{k}" not in own:
        return [block]
    most = _MOST_DIM * max(width, _NARROW)
    return [_adapter(k, _size(own, f"adapter_{k}", most=most), tokens, width), block]


def _adapter(k: int, dim: int, tokens: int, width: int) -> LayerSpec:
    return LayerSpec.of(f"adapter_{k}", "adapter", flow={"tokens": tokens}, dim=dim, width=width)


def _block_of(name: str) -> int:
    """Returns the block whose structure a hyperparameter says; -1 if it says none."""
    match = _STRUCTURE.fullmatch(name)
    return -1 if match is None else int(match[2])
