"""Makes ``published.json``: what the public libraries compute, for ``test_published.py`` to compare with.

    python -m venv /tmp/public && /tmp/public/bin/pip install torch transformers timm safetensors lazy-loader
    PYTHONPATH=. /tmp/public/bin/python tests/core/nn/make_published.py

Weights and images come from seeds, so only configs, names, shapes and what comes out are written.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from mu2net_core.testing.building.published import seeded_tensors

TARGET = Path(__file__).with_name("published.json")
HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 12, "patch_size": 4}
SMALL_TIMM = {"embed_dim": 16, "depth": 2, "num_heads": 2, "img_size": 24, "patch_size": 4, "mlp_ratio": 2.0}


def images_of(side: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(side)).integers(0, 256, (2, side, side, 3), dtype=np.uint8)


def prepared(side: int, pixels: dict[str, list[float]]) -> Any:
    import torch

    numbers = (images_of(side) / 255 - np.array(pixels["mean"])) / np.array(pixels["std"])
    return torch.from_numpy(numbers.transpose(0, 3, 1, 2).astype(np.float32))


def shapes_in(tensors: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def huggingface(kind: str, pixels: dict[str, list[float]], sides: tuple[int, ...], **changes: Any) -> dict[str, Any]:
    import torch
    import transformers

    config = getattr(transformers, f"{kind}Config")(**{**SMALL, **changes})
    model_class = getattr(transformers, f"{kind}Model")
    with TemporaryDirectory() as folder:  # on disk names are others than in memory
        model_class(config).save_pretrained(folder)
        weights = Path(folder) / "model.safetensors"
        shapes = shapes_in(load_file(weights))
        save_file(seeded_tensors(shapes, 1), weights, metadata={"format": "pt"})
        model = model_class.from_pretrained(folder, attn_implementation="eager").eval()
    options = {} if kind == "Dinov2" else {"interpolate_pos_encoding": True}
    with torch.no_grad():
        features = {side: model(prepared(side, pixels), **options).last_hidden_state[:, 0] for side in sides}
    said = {name: value for name, value in config.to_dict().items() if isinstance(value, bool | int | float | str)}
    preparation = {"do_normalize": True, "image_mean": pixels["mean"], "image_std": pixels["std"]}
    return {"config": said, "preparation": preparation, "shapes": shapes, "features": rounded(features)}


def timm_model(name: str, pixels: dict[str, list[float]], sides: tuple[int, ...], **arguments: Any) -> dict[str, Any]:
    import timm
    import torch

    model = timm.create_model(name, num_classes=0, dynamic_img_size=True, **SMALL_TIMM, **arguments)
    shapes = shapes_in(model.state_dict())
    model.load_state_dict({name: torch.from_numpy(array) for name, array in seeded_tensors(shapes, 1).items()})
    model.eval()
    with torch.no_grad():
        features = {side: model(prepared(side, pixels)) for side in sides}
    config = {
        "architecture": name,
        "num_classes": 0,
        "global_pool": arguments.get("global_pool", "token"),
        "pretrained_cfg": {"input_size": [3, 24, 24], **pixels},
        "model_args": {**SMALL_TIMM, **arguments},
    }
    return {"config": config, "preparation": None, "shapes": shapes, "features": rounded(features)}


def rounded(features: dict[int, Any]) -> dict[str, list[list[float]]]:
    return {str(side): [[round(float(x), 7) for x in row] for row in rows] for side, rows in features.items()}


def main() -> None:
    made = {
        "hf vit": huggingface("ViT", HALF, (12, 24), intermediate_size=32),
        "hf vit, quick gelu, no bias": huggingface(
            "ViT", IMAGENET, (12,), intermediate_size=32, hidden_act="quick_gelu", qkv_bias=False, layer_norm_eps=1e-2
        ),
        "hf dinov2": huggingface("Dinov2", IMAGENET, (28, 56), image_size=56, patch_size=14, mlp_ratio=2),
        "timm vit": timm_model("vit_tiny_patch16_224", HALF, (24, 12)),
        "timm deit3": timm_model("deit3_small_patch16_224", IMAGENET, (24, 36)),
        "timm vit of the mean, tanh gelu": timm_model(
            "vit_base_patch16_224", HALF, (24,), global_pool="avg", act_layer="gelu_tanh", qkv_bias=False
        ),
    }
    TARGET.write_text(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
