"""Small checkpoints of vision transformers as the public code stores them, with random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["public_arrays", "with_new_names", "write_checkpoint"]

Arrays = dict[str, np.ndarray]


def public_arrays(
    *,
    image: int = 8,
    patch: int = 2,
    width: int = 96,
    heads: int = 6,
    mlp: int = 192,
    blocks: int = 2,
    classes: int = 4,
) -> Arrays:
    """Returns the arrays of a model by their public names, in the older of the two layouts; sizes of ``vit-mini``."""
    shapes: dict[str, tuple[int, ...]] = {
        "embedding/kernel": (patch, patch, 3, width),
        "embedding/bias": (width,),
        "cls": (1, 1, width),
        "Transformer/posembed_input/pos_embedding": (1, 1 + (image // patch) ** 2, width),
        "Transformer/encoder_norm/scale": (width,),
        "Transformer/encoder_norm/bias": (width,),
        "head/kernel": (width, classes),
        "head/bias": (classes,),
    }
    for k in range(blocks):
        shapes |= {f"Transformer/encoderblock_{k}/{name}": shape for name, shape in _block(width, heads, mlp).items()}
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


def _block(width: int, heads: int, mlp: int) -> dict[str, tuple[int, ...]]:
    part = width // heads
    attention: dict[str, tuple[int, ...]] = {
        f"{name}/kernel": (width, heads, part) for name in ("query", "key", "value")
    }
    for name in ("query", "key", "value"):
        attention[f"{name}/bias"] = (heads, part)
    attention["out/kernel"], attention["out/bias"] = (heads, part, width), (width,)
    norms = {f"LayerNorm_{n}/{name}": (width,) for n in (0, 2) for name in ("scale", "bias")}
    return {
        **{f"MultiHeadDotProductAttention_1/{name}": shape for name, shape in attention.items()},
        **norms,
        "MlpBlock_3/Dense_0/kernel": (width, mlp),
        "MlpBlock_3/Dense_0/bias": (mlp,),
        "MlpBlock_3/Dense_1/kernel": (mlp, width),
        "MlpBlock_3/Dense_1/bias": (width,),
    }


def with_new_names(arrays: Arrays) -> Arrays:
    """Returns the same arrays in the newer of the two layouts."""
    names = {"MultiHeadDotProductAttention_1": "MultiHeadDotProductAttention_0", "LayerNorm_2": "LayerNorm_1"}
    names |= {"MlpBlock_3": "MlpBlock_0"}
    renamed = {}
    for name, array in arrays.items():
        parts = name.split("/")
        renamed["/".join(names.get(part, part) for part in parts)] = array
    return renamed


def write_checkpoint(path: Path, arrays: Arrays) -> Path:
    """Returns ``path``, where the arrays lie now."""
    with path.open("wb") as file:
        np.savez(file, **dict[str, Any](arrays))
    return path
