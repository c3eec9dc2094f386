"""Small models as the ``transformers`` and ``timm`` libraries store them, with numbers from a seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

__all__ = ["seeded_tensors", "vit_config", "vit_shapes", "write_model"]

Shapes = Mapping[str, tuple[int, ...]]


def seeded_tensors(shapes: Shapes, seed: int) -> dict[str, np.ndarray]:
    """Returns numbers by name, with which every epsilon, gelu and scale makes a difference."""
    rng = np.random.Generator(np.random.Philox(seed))
    return {name: _numbers(name, shapes[name], rng) for name in sorted(shapes)}


def vit_config(**changes: Any) -> dict[str, Any]:
    """Returns a ``config.json`` of a ViT with the sizes of ``vit-mini``, but for what is said."""
    config = {
        "model_type": "vit",
        "hidden_size": 96,
        "num_attention_heads": 6,
        "num_hidden_layers": 1,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    }
    return {**config, **changes}


def vit_shapes(
    *, image: int = 8, patch: int = 2, width: int = 96, mlp: int = 192, blocks: int = 1
) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of that ViT's tensors."""
    shapes: dict[str, tuple[int, ...]] = {
        "vit.embeddings.cls_token": (1, 1, width),
        "vit.embeddings.position_embeddings": (1, 1 + (image // patch) ** 2, width),
        "vit.embeddings.patch_embeddings.projection.weight": (width, 3, patch, patch),
        "vit.embeddings.patch_embeddings.projection.bias": (width,),
        "vit.layernorm.weight": (width,),
        "vit.layernorm.bias": (width,),
        "classifier.weight": (5, width),
        "classifier.bias": (5,),
    }
    products = {f"attention.attention.{name}": (width, width) for name in ("query", "key", "value")}
    products |= {
        "attention.output.dense": (width, width),
        "intermediate.dense": (mlp, width),
        "output.dense": (width, mlp),
    }
    for k in range(blocks):
        for name, shape in products.items():
            shapes |= {f"vit.encoder.layer.{k}.{name}.weight": shape, f"vit.encoder.layer.{k}.{name}.bias": shape[:1]}
        for name in ("layernorm_before", "layernorm_after"):
            shapes |= {f"vit.encoder.layer.{k}.{name}.{part}": (width,) for part in ("weight", "bias")}
    return shapes


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    *,
    preparation: Mapping[str, Any] | None = None,
    num_files: int = 1,
) -> Path:
    """Writes a model into ``folder``, in several files with an index if there are more than one, and returns that."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if preparation is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preparation))
    if num_files == 1:
        save_file(dict(tensors), folder / "model.safetensors")
        return folder
    files = [f"model-{k + 1:05}-of-{num_files:05}.safetensors" for k in range(num_files)]
    places = {name: files[index % num_files] for index, name in enumerate(sorted(tensors))}
    for file in files:
        save_file({name: tensors[name] for name, place in places.items() if place == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def _numbers(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    drawn = 2 * rng.random(shape) - 1
    if len(shape) == 1:
        drawn = 0.2 * drawn if name.endswith("bias") else 1 + 0.5 * drawn
    elif len(shape) == 2:
        drawn *= (3 / shape[1]) ** 0.5
    else:
        drawn *= 0.01
    return drawn.astype(np.float32)
