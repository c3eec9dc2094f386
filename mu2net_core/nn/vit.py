"""The vision transformer as a row of components (Dosovitskiy et al., 2021; sizes of Steiner et al., 2021).

Pre-norm blocks, class token, learned position embedding, final LayerNorm, no dropout, zero-initialised head. Only the
class token is read at the end, so the last block computes that one row: the same function, a third of the work.

What a model has beyond ``num_layers`` plain blocks is in its hyperparameters too: ``adapter_<k>`` is the width of the
residual adapter before block k, ``mlp_<k>`` and ``heads_<k>`` the sizes of a block that grew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.architecture import Arrays, LayerSpec, Params, Precision, Shapes
from mu2net_core.nn.positions import resize_positions
from mu2net_core.nn.vit_init import begin, enlarged
from mu2net_core.nn.vit_layers import layer_input, layer_module
from mu2net_core.objects import Hyperparameter

__all__ = ["VisionTransformer"]

_LARGEST = 2**24
_MOST_BLOCKS = 10_000
_MOST_GROWTH = 4
"""A block's MLP and its heads grow to this multiple of what the architecture says, no further."""

_SLOT_DIMS = (32, 64, 128)
_MOST_DIM = 4
"""An adapter is at most this multiple of the width, or of 128 where that is more."""
_STRUCTURE = re.compile(r"(adapter|mlp|heads)_(0|[1-9][0-9]{0,4})")
_FLOAT32_KINDS = ("encoder_norm", "head")


class VisionTransformer:
    """The family ``vit``. Config: ``image`` and ``patch`` (pixels), ``width``, ``heads``, ``mlp``, ``channels``.

    The hyperparameter ``image_size``, where there is one, wins over ``image``.
    """

    name = "vit"
    always_trainable = frozenset({"encoder_norm", "head"})
    head = "head"
    interpolated = frozenset({"position_embedding"})

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_classes: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, each after its adapter if it has one, norm and head.

        Raises:
            InvalidInputError: a size is missing or absurd, the image is not a whole number of patches, or the width
                not of heads.
        """
        image, patch, width = self.image_side(config, hyperparameters), _size(config, "patch"), _size(config, "width")
        heads, channels = _size(config, "heads"), _size(config, "channels")
        if image % patch or width % heads:
            raise InvalidInputError(
                f"ViT: image {image} must be a multiple of patch {patch}, and width {width} of heads {heads}."
            )
        tokens = (image // patch) ** 2
        blocks = range(_size(hyperparameters, "num_layers", least=0, most=_MOST_BLOCKS))
        return (
            LayerSpec.of(
                "patch_embedding",
                "patch_embedding",
                flow={"tokens": tokens},
                patch=patch,
                channels=channels,
                width=width,
            ),
            LayerSpec.of("class_token", "class_token", width=width),
            LayerSpec.of("position_embedding", "position_embedding", tokens=tokens + 1, width=width),
            *(spec for k in blocks for spec in _block(k, config, hyperparameters, tokens + 1)),
            LayerSpec.of("encoder_norm", "encoder_norm", width=width),
            LayerSpec.of("head", "head", width=width, classes=num_classes),
        )

    def image_side(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> int:
        """Returns the height and width, in pixels, of the images that the model takes."""
        if "image_size" in hyperparameters:
            return _size(hyperparameters, "image_size")
        return _size(config, "image")

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns by name: an adapter before each block without one, and growth of blocks by half or by a block."""
        blocks = _size(hyperparameters, "num_layers", least=0, most=_MOST_BLOCKS)
        found: dict[str, Mapping[str, Hyperparameter]] = {}
        for k in range(blocks):
            if "adapter" in kinds and f"adapter_{k}" not in hyperparameters:
                found[f"add:adapter_{k}"] = {f"adapter_{k}": _own(hyperparameters, "adapter_dim", _SLOT_DIMS[0])}
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

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns shape and number type of a layer's arrays by name, without making them."""
        return _shapes(spec)

    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns first parameters of a layer, float32; a block with ``identity`` passes on what it gets."""
        return begin(spec.kind, _shapes(spec), rng, identity=identity)

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns a position embedding interpolated to another number of tokens, or a block enlarged."""
        if spec.name in self.interpolated:
            return {"pos_embedding": resize_positions(arrays["pos_embedding"], spec.size("tokens"))}
        return enlarged(arrays, _shapes(spec), begin(spec.kind, _shapes(spec), rng))

    def slots(self, specs: Sequence[LayerSpec], kinds: Collection[str]) -> tuple[LayerSpec, ...]:
        """Returns ``specs`` with an adapter of one width before every block, if there can be any."""
        dims = [spec.size("dim") for spec in specs if spec.kind == "adapter"]
        if not dims and "adapter" not in kinds:
            return tuple(specs)
        dim = next((slot for slot in _SLOT_DIMS if slot >= max(dims, default=0)), max(dims, default=0))
        filled: list[LayerSpec] = []
        for spec in specs:
            if spec.kind == "encoder_block":
                filled.append(_adapter(int(spec.name.rpartition("_")[2]), dim, spec.size("tokens"), spec.size("width")))
            if spec.kind != "adapter":
                filled.append(spec)
        return tuple(filled)

    def apply(
        self,
        specs: Sequence[LayerSpec],
        params: Sequence[Params],
        x: jax.Array,
        *,
        above: Sequence[LayerSpec] = (),
        precision: Precision = "float32",
    ) -> jax.Array:
        """Returns what the layers make of ``x``; see the protocol for shapes."""
        following = [spec.kind for spec in (*specs[1:], *above[:1])] + [""]
        for spec, layer_params, after in zip(specs, params, following, strict=False):
            dtype = jnp.float32 if spec.kind in _FLOAT32_KINDS else jnp.dtype(precision)
            module = layer_module(spec, dtype=dtype, only_first=after == "encoder_norm")
            variables = {"params": unflatten_dict(dict(layer_params), sep="/")}
            x = jnp.asarray(module.apply(variables, x.astype(dtype)))
            if after == "encoder_norm":
                x = x[:, 0]
        return x

    def deciding(self, above: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
        """Returns the final norm, below which only the first token is computed."""
        return tuple(spec for spec in above[:1] if spec.kind == "encoder_norm")

    def cuts(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns the start, the ends of the patch and position embeddings, every block with its adapter, the norm."""
        kinds = [spec.kind for spec in specs]
        inside = [
            index
            for index in range(kinds.index("position_embedding") + 1, kinds.index("encoder_norm") + 1)
            if kinds[index - 1] != "adapter"
        ]
        return (0, 1, *inside)

    def stages(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns the start, the end of the patch embedding, every adapter and block, and the norm."""
        kinds = ("class_token", "adapter", "encoder_block", "encoder_norm")
        return tuple(sorted({0, *(index for index, spec in enumerate(specs) if spec.kind in kinds)}))

    def activations(self, specs: Sequence[LayerSpec]) -> int:
        """Returns how many numbers the largest layer computes for one example: its tokens, and its attention."""
        return max(_activations(spec) for spec in specs)

    def flops(self, specs: Sequence[LayerSpec]) -> int:
        """Returns floating-point operations of one example's forward pass, as computed by ``apply``."""
        following = [spec.kind for spec in specs[1:]] + [""]
        return sum(_flops(spec, last=after == "encoder_norm") for spec, after in zip(specs, following, strict=True))


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
    most = _MOST_DIM * max(width, _SLOT_DIMS[-1])
    return [_adapter(k, _size(own, f"adapter_{k}", most=most), tokens, width), block]


def _adapter(k: int, dim: int, tokens: int, width: int) -> LayerSpec:
    return LayerSpec.of(f"adapter_{k}", "adapter", flow={"tokens": tokens}, dim=dim, width=width)


def _block_of(name: str) -> int:
    """Returns the block whose structure a hyperparameter says; -1 if it says none."""
    match = _STRUCTURE.fullmatch(name)
    return -1 if match is None else int(match[2])


@cache
def _shapes(spec: LayerSpec) -> Shapes:
    module = layer_module(spec)
    made = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros(layer_input(spec), jnp.float32))["params"])
    return {name: (tuple(shape.shape), shape.dtype.name) for name, shape in flatten_dict(made, sep="/").items()}


def _activations(spec: LayerSpec) -> int:
    sizes = dict((*spec.sizes, *spec.flow))
    tokens = sizes.get("tokens", 1)
    widest = max(sizes["width"], sizes.get("mlp", 0), sizes.get("classes", 0), sizes.get("dim", 0))
    return tokens * widest + sizes.get("heads", 0) * tokens**2


def _flops(spec: LayerSpec, *, last: bool) -> int:
    width = spec.size("width")
    match spec.kind:
        case "patch_embedding":
            return 2 * spec.size("tokens") * spec.size("patch") ** 2 * spec.size("channels") * width
        case "adapter":
            return 4 * spec.size("tokens") * spec.size("dim") * width
        case "encoder_block":
            tokens, mlp = spec.size("tokens"), spec.size("mlp")
            queries = 1 if last else tokens
            inner = spec.size("heads") * dict(spec.sizes).get("head_dim", width // spec.size("heads"))
            projections = 2 * width * inner * (2 * tokens + 2 * queries)
            return projections + 4 * queries * tokens * inner + 4 * queries * width * mlp
        case "head":
            return 2 * width * spec.size("classes")
    return 0
