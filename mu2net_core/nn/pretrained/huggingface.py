"""Models of the ``transformers`` library: ViT, DeiT and DINOv2, as their ``config.json`` says.

What a config does not say is as the library's classes have it (``configuration_vit.py`` and its like).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mu2net_core.nn.pretrained.config import IMAGENET, Config
from mu2net_core.nn.pretrained.files import ModelFiles
from mu2net_core.nn.pretrained.published import DISTILLED, REGISTERS, Names, Pixels, Published

__all__ = ["MODEL_TYPE", "read_huggingface"]

MODEL_TYPE = "model_type"
"""What says which class of the library a config is of."""

_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

_VIT = Names(
    prefixes=("vit.", ""),
    patches="embeddings.patch_embeddings.projection",
    norm="layernorm",
    norm_of_mean="layernorm",
    class_token="embeddings.cls_token",  # noqa: S106  no password
    positions="embeddings.position_embeddings",
    block="encoder.layer.{}.",
    norm_attention="layernorm_before",
    query_key_value=("attention.attention.query", "attention.attention.key", "attention.attention.value"),
    out="attention.output.dense",
    norm_mlp="layernorm_after",
    mlp=("intermediate.dense", "output.dense"),
    scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
    left_out=("pooler.", "classifier.", "embeddings.mask_token"),
    refused={"embeddings.distillation_token": DISTILLED, "embeddings.register_tokens": REGISTERS},
)
_DINOV2 = replace(_VIT, prefixes=("dinov2.", ""), norm_attention="norm1", norm_mlp="norm2", mlp=("mlp.fc1", "mlp.fc2"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Type:
    """What a class of the library has where a config says nothing."""

    title: str
    names: Names
    epsilon: float
    pixels: tuple[tuple[float, ...], tuple[float, ...]]


_TYPES = {
    "vit": _Type(title="ViT", names=_VIT, epsilon=1e-12, pixels=_HALF),
    "deit": _Type(title="DeiT", names=replace(_VIT, prefixes=("deit.", "")), epsilon=1e-12, pixels=IMAGENET),
    "dinov2": _Type(title="DINOv2", names=_DINOV2, epsilon=1e-6, pixels=IMAGENET),
}


def read_huggingface(files: ModelFiles) -> Published:
    """Returns what a folder of the library says of its model.

    Raises:
        InvalidInputError: it cannot be represented; the reason is told.
    """
    config = Config(where=files.where, values=files.config)
    name = config.values.get(MODEL_TYPE)
    if not isinstance(name, str) or name not in _TYPES:
        raise config.wrong(MODEL_TYPE, f"one of {', '.join(_TYPES)}")
    kind = _TYPES[name]
    if config.flag("use_swiglu_ffn", usual=False):
        raise config.refuse("its MLPs are gated (use_swiglu_ffn), and those here are not")
    pixels, remarks = _pixels(files, kind)
    return Published(
        title=f"Hugging Face {kind.title}",
        heads=config.size("num_attention_heads", 12),
        names=kind.names,
        pixels=pixels,
        interpolation="cubic",
        options={"gelu": config.gelu("hidden_act"), "epsilon": config.number("layer_norm_eps", kind.epsilon)},
        sizes={"width": config.size("hidden_size", 768), "blocks": config.size("num_hidden_layers", 12)},
        remarks=remarks,
    )


def _pixels(files: ModelFiles, kind: _Type) -> tuple[Pixels, tuple[str, ...]]:
    """Returns how the model takes pixels, and what is to be said of that."""
    if files.preparation is None:
        mean, std = kind.pixels
        told = f"There is no preprocessor_config.json: pixels are prepared as usual for a {kind.title}"
        return Pixels(mean=mean, std=std), (told,)
    config = Config(where=files.where, values=files.preparation)
    mean = config.channels("image_mean", kind.pixels[0], least=-1e6)
    std = config.channels("image_std", kind.pixels[1], least=1e-6)
    if not config.flag("do_normalize", usual=True):
        mean, std = (0.0,), (1.0,)
    factor = config.number("rescale_factor", 1 / 255) if config.flag("do_rescale", usual=True) else 1.0
    return Pixels(mean=mean, std=std, factor=factor), ()
