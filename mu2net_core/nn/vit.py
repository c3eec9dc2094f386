"""The vision transformer as a row of components (Dosovitskiy et al., 2021; sizes of Steiner et al., 2021).

Pre-norm blocks, class token, learned position embedding, final LayerNorm, no dropout, zero-initialised head. Only the
class token is read at the end, so the last block computes that one row: the same function, a third of the work.

Linen, not NNX: a component here is a value (a dict of arrays) that the engine clones, freezes and stores; Linen's
``init``/``apply`` are already functions over such values, while NNX would wrap them in mutable module objects only to
be split again at every boundary.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from mu2net_core.errors import InternalError, InvalidInputError
from mu2net_core.nn.architecture import LayerSpec, Params
from mu2net_core.objects import Hyperparameter

__all__ = ["VisionTransformer"]

_EPSILON = 1e-6
_LARGEST = 2**24
_MOST_BLOCKS = 10_000
_ADAPTER_DIM = 32

# A random root must learn where a patch lies before it can learn what it means. With the usual beginnings (LeCun's for
# patches, 0.02 for positions) content drowns position tenfold, and blocks evolved on top of frozen embeddings see a bag
# of patches. These give both about the same size; docs/experiments.md has the measurement.
_PATCH_INIT = nn.initializers.variance_scaling(0.1, "fan_in", "truncated_normal")
_POSITION_INIT = nn.initializers.normal(0.3)


class PatchEmbedding(nn.Module):
    """Images [B, H, W, 3] to tokens [B, T, D], T = (H / patch) * (W / patch)."""

    patch: int
    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        rows, columns = height // self.patch, width // self.patch
        kernel = self.param("kernel", _PATCH_INIT, (self.patch, self.patch, channels, self.width), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.width,), jnp.float32)
        x = x.reshape(batch, rows, self.patch, columns, self.patch, channels).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * columns, -1)
        return x @ kernel.reshape(-1, self.width) + bias


class ClassToken(nn.Module):
    """Tokens [B, T, D] to [B, 1 + T, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        token = self.param("cls", nn.initializers.zeros, (1, 1, x.shape[-1]), jnp.float32)
        return jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, x.shape[-1])), x], axis=1)


class PositionEmbedding(nn.Module):
    """Adds a learned embedding to tokens [B, T, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.param("pos_embedding", _POSITION_INIT, (1, *x.shape[1:]), jnp.float32)


class Attention(nn.Module):
    """Multi-head self-attention: queries [B, Q, D] over tokens [B, T, D] to [B, Q, D]."""

    heads: int

    @nn.compact
    def __call__(self, queries: jax.Array, tokens: jax.Array) -> jax.Array:
        width = tokens.shape[-1]
        dense = partial(
            nn.DenseGeneral,
            features=(self.heads, width // self.heads),
            kernel_init=nn.initializers.xavier_uniform(),
        )
        query, key, value = dense(name="query")(queries), dense(name="key")(tokens), dense(name="value")(tokens)
        mixed = jax.nn.dot_product_attention(query, key, value)
        return nn.DenseGeneral(width, axis=(-2, -1), kernel_init=nn.initializers.xavier_uniform(), name="out")(mixed)


class EncoderBlock(nn.Module):
    """Pre-norm transformer block on tokens [B, T, D]; ``only_first`` returns just the first token, [B, 1, D]."""

    heads: int
    mlp: int

    @nn.compact
    def __call__(self, x: jax.Array, *, only_first: bool) -> jax.Array:
        tokens = nn.LayerNorm(epsilon=_EPSILON, name="norm_attention")(x)
        if only_first:
            x = x[:, :1]
        x = x + Attention(self.heads, name="attention")(tokens[:, : x.shape[1]], tokens)
        y = nn.LayerNorm(epsilon=_EPSILON, name="norm_mlp")(x)
        dense = partial(nn.Dense, kernel_init=nn.initializers.xavier_uniform(), bias_init=nn.initializers.normal(1e-6))
        y = nn.gelu(dense(self.mlp, name="dense_0")(y))
        return x + dense(x.shape[-1], name="dense_1")(y)


class VisionTransformer:
    """The family ``vit``. Config: ``image`` and ``patch`` (pixels), ``width``, ``heads``, ``mlp``, ``channels``."""

    name = "vit"
    always_trainable = frozenset({"encoder_norm", "head"})
    head = "head"

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_classes: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, ``num_layers`` blocks, norm and head.

        Raises:
            InvalidInputError: a size is missing or absurd, the image is not a whole number of patches, or the width
                not of heads.
        """
        image, patch, width = _size(config, "image"), _size(config, "patch"), _size(config, "width")
        heads, mlp, channels = _size(config, "heads"), _size(config, "mlp"), _size(config, "channels")
        if image % patch or width % heads:
            raise InvalidInputError(
                f"ViT: image {image} must be a multiple of patch {patch}, and width {width} of heads {heads}."
            )
        tokens = (image // patch) ** 2
        blocks = range(_size(hyperparameters, "num_layers", least=0, most=_MOST_BLOCKS))
        return (
            LayerSpec.of(
                "patch_embedding", "patch_embedding", patch=patch, channels=channels, tokens=tokens, width=width
            ),
            LayerSpec.of("class_token", "class_token", width=width),
            LayerSpec.of("position_embedding", "position_embedding", tokens=tokens + 1, width=width),
            *(
                LayerSpec.of(f"encoderblock_{k}", "encoder_block", heads=heads, mlp=mlp, tokens=tokens + 1, width=width)
                for k in blocks
            ),
            LayerSpec.of("encoder_norm", "encoder_norm", width=width),
            LayerSpec.of("head", "head", width=width, classes=num_classes),
        )

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns an adapter for each block that has none."""
        del config
        names = [f"adapter_{k}" for k in range(int(hyperparameters["num_layers"])) if "adapter" in kinds]
        dim = hyperparameters.get("adapter_dim", _ADAPTER_DIM)
        return {f"add:{name}": {name: dim} for name in names if name not in hyperparameters}

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the adapters of blocks that are not there any more."""
        blocks = int(hyperparameters["num_layers"])
        return {name: value for name, value in hyperparameters.items() if _block_of(name) < blocks}

    def init(self, spec: LayerSpec, key: jax.Array) -> Params:
        """Returns first parameters of a layer; consumes ``key``."""
        module, keywords = _module(spec, only_first=False)
        variables = module.init(key, jnp.zeros(_input_shape(spec), jnp.float32), **keywords)
        params: Params = flatten_dict(variables["params"], sep="/")
        return params

    def apply(
        self, specs: Sequence[LayerSpec], params: Sequence[Params], x: jax.Array, *, above: Sequence[LayerSpec] = ()
    ) -> jax.Array:
        """Returns what the layers make of ``x``; see the protocol for shapes."""
        following = [spec.kind for spec in (*specs[1:], *above[:1])] + [""]
        for spec, layer_params, after in zip(specs, params, following, strict=False):
            module, keywords = _module(spec, only_first=after == "encoder_norm")
            variables = {"params": unflatten_dict(dict(layer_params), sep="/")}
            x = jnp.asarray(module.apply(variables, x, **keywords))
            if after == "encoder_norm":
                x = x[:, 0]
        return x

    def cuts(self, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
        """Returns the start, the end of the embedding, every fourth block, and the norm."""
        kinds = [spec.kind for spec in specs]
        first, norm = kinds.index("position_embedding") + 1, kinds.index("encoder_norm")
        return tuple(sorted({0, *range(first, norm, 4), norm}))

    def activations(self, specs: Sequence[LayerSpec]) -> int:
        """Returns how many numbers the largest layer computes for one example: its tokens, and its attention."""
        return max(_activations(spec) for spec in specs)

    def flops(self, specs: Sequence[LayerSpec]) -> int:
        """Returns floating-point operations of one example's forward pass, as computed by ``apply``."""
        following = [spec.kind for spec in specs[1:]] + [""]
        return sum(_flops(spec, last=after == "encoder_norm") for spec, after in zip(specs, following, strict=True))


def _block_of(name: str) -> int:
    """Returns the block whose adapter a hyperparameter sets, -1 if it is none of these."""
    kind, _, index = name.rpartition("_")
    return int(index) if kind == "adapter" and index.isdecimal() else -1


def _size(values: Mapping[str, Any], name: str, *, least: int = 1, most: int = _LARGEST) -> int:
    size = values.get(name)
    if isinstance(size, bool) or not isinstance(size, int) or not least <= size <= most:
        raise InvalidInputError(f"ViT: {name}: expected a whole number from {least} to {most}, got {str(size)[:80]}.")
    return size


def _module(spec: LayerSpec, *, only_first: bool) -> tuple[nn.Module, dict[str, Any]]:
    match spec.kind:
        case "patch_embedding":
            return PatchEmbedding(spec.size("patch"), spec.size("width")), {}
        case "class_token":
            return ClassToken(), {}
        case "position_embedding":
            return PositionEmbedding(), {}
        case "encoder_block":
            return EncoderBlock(spec.size("heads"), spec.size("mlp")), {"only_first": only_first}
        case "encoder_norm":
            return nn.LayerNorm(epsilon=_EPSILON), {}
        case "head":
            return nn.Dense(spec.size("classes"), kernel_init=nn.initializers.zeros), {}
    raise InternalError(f"ViT has no layer of kind {spec.kind!r}.")


def _input_shape(spec: LayerSpec) -> tuple[int, ...]:
    width = dict(spec.sizes)["width"]
    match spec.kind:
        case "patch_embedding":
            side = round(spec.size("tokens") ** 0.5) * spec.size("patch")
            return (1, side, side, spec.size("channels"))
        case "position_embedding" | "encoder_block":
            return (1, spec.size("tokens"), width)
        case "class_token":
            return (1, 1, width)
    return (1, width)


def _activations(spec: LayerSpec) -> int:
    sizes = dict(spec.sizes)
    tokens = sizes.get("tokens", 1)
    widest = max(sizes["width"], sizes.get("mlp", 0), sizes.get("classes", 0))
    return tokens * widest + sizes.get("heads", 0) * tokens**2


def _flops(spec: LayerSpec, *, last: bool) -> int:
    width = spec.size("width")
    match spec.kind:
        case "patch_embedding":
            return 2 * spec.size("tokens") * spec.size("patch") ** 2 * spec.size("channels") * width
        case "encoder_block":
            tokens, mlp = spec.size("tokens"), spec.size("mlp")
            queries = 1 if last else tokens
            projections = 2 * width * width * (2 * tokens + 2 * queries)
            return projections + 4 * queries * tokens * width + 4 * queries * width * mlp
        case "head":
            return 2 * width * spec.size("classes")
    return 0
