"""The layers of the vision transformer as Flax modules; what they begin with is in ``vit_init``.

Linen, not NNX: a component here is a value (a dict of arrays) that the engine clones, freezes and stores; Linen's
``init``/``apply`` are already functions over such values, while NNX would wrap them in mutable module objects only to
be split again at every boundary.

``B`` is the batch, ``H W`` the image, ``T`` the tokens, ``D`` the width, ``Q`` the tokens that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from mu2net_core.errors import InternalError
from mu2net_core.nn.architecture import LayerSpec

__all__ = ["layer_input", "layer_module"]

_EPSILON = 1e-6
_ZEROS = nn.initializers.zeros


class PatchEmbedding(nn.Module):
    """Images [B, H, W, 3] to tokens [B, T, D], T = (H / patch) * (W / patch)."""

    patch: int
    width: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        rows, columns = height // self.patch, width // self.patch
        kernel = self.param("kernel", _ZEROS, (self.patch, self.patch, channels, self.width), jnp.float32)
        bias = self.param("bias", _ZEROS, (self.width,), jnp.float32)
        x = x.reshape(batch, rows, self.patch, columns, self.patch, channels).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(batch, rows * columns, -1).astype(self.dtype)
        return x @ kernel.reshape(-1, self.width).astype(self.dtype) + bias.astype(self.dtype)


class ClassToken(nn.Module):
    """Tokens [B, T, D] to [B, 1 + T, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        token = self.param("cls", _ZEROS, (1, 1, x.shape[-1]), jnp.float32).astype(x.dtype)
        return jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, x.shape[-1])), x], axis=1)


class PositionEmbedding(nn.Module):
    """Adds a learned embedding to tokens [B, T, D]."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return x + self.param("pos_embedding", _ZEROS, (1, *x.shape[1:]), jnp.float32).astype(x.dtype)


class Attention(nn.Module):
    """Multi-head self-attention: queries [B, Q, D] over tokens [B, T, D] to [B, Q, D]."""

    heads: int
    head_dim: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, queries: jax.Array, tokens: jax.Array) -> jax.Array:
        dense = partial(nn.DenseGeneral, features=(self.heads, self.head_dim), dtype=self.dtype, kernel_init=_ZEROS)
        query, key, value = dense(name="query")(queries), dense(name="key")(tokens), dense(name="value")(tokens)
        mixed = jax.nn.dot_product_attention(query, key, value)
        out = nn.DenseGeneral(tokens.shape[-1], axis=(-2, -1), dtype=self.dtype, kernel_init=_ZEROS, name="out")
        return out(mixed)


class EncoderBlock(nn.Module):
    """Pre-norm transformer block on tokens [B, T, D]; ``only_first`` returns just the first token, [B, 1, D]."""

    heads: int
    head_dim: int
    mlp: int
    only_first: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        norm = partial(nn.LayerNorm, epsilon=_EPSILON, dtype=self.dtype)
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=_ZEROS)
        tokens = norm(name="norm_attention")(x)
        if self.only_first:
            x = x[:, :1]
        attention = Attention(self.heads, self.head_dim, self.dtype, name="attention")
        x = x + attention(tokens[:, : x.shape[1]], tokens)
        y = norm(name="norm_mlp")(x)
        y = nn.gelu(dense(self.mlp, name="dense_0")(y))
        return x + dense(x.shape[-1], name="dense_1")(y)


class Adapter(nn.Module):
    """Residual adapter (Houlsby et al., 2019) on tokens [B, T, D]; adds zeros while ``dense_1`` is zero."""

    dim: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=_ZEROS)
        y = nn.LayerNorm(epsilon=_EPSILON, dtype=self.dtype, name="norm")(x)
        return x + dense(x.shape[-1], name="dense_1")(nn.gelu(dense(self.dim, name="dense_0")(y)))


def layer_module(spec: LayerSpec, *, only_first: bool = False, dtype: Any = jnp.float32) -> nn.Module:
    """Returns the module that runs a layer; with ``only_first`` a block computes the first token alone.

    Raises:
        InternalError: there is no such kind of layer.
    """
    sizes = dict(spec.sizes)
    makers: dict[str, Callable[[], nn.Module]] = {
        "patch_embedding": lambda: PatchEmbedding(sizes["patch"], sizes["width"], dtype),
        "class_token": ClassToken,
        "position_embedding": PositionEmbedding,
        "adapter": lambda: Adapter(sizes["dim"], dtype),
        "encoder_block": lambda: EncoderBlock(
            sizes["heads"], sizes.get("head_dim", sizes["width"] // sizes["heads"]), sizes["mlp"], only_first, dtype
        ),
        "encoder_norm": lambda: nn.LayerNorm(epsilon=_EPSILON),
        "head": lambda: nn.Dense(sizes["classes"], kernel_init=_ZEROS),
    }
    if spec.kind not in makers:
        raise InternalError(f"ViT has no layer of kind {spec.kind!r}.")
    return makers[spec.kind]()


def layer_input(spec: LayerSpec) -> tuple[int, ...]:
    """Returns the shape of what a layer takes, for one example."""
    width = spec.size("width")
    match spec.kind:
        case "patch_embedding":
            side = round(spec.size("tokens") ** 0.5) * spec.size("patch")
            return (1, side, side, spec.size("channels"))
        case "position_embedding" | "encoder_block" | "adapter":
            return (1, spec.size("tokens"), width)
        case "class_token":
            return (1, 1, width)
    return (1, width)
