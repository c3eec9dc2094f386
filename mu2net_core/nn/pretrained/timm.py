"""Models of the ``timm`` library: those of its vision transformers that are like ours, by the names it gives them.

What such a model computes is in its name and the ``model_args`` of its ``config.json``, not in its weights: others have
arrays of the same names and add or normalise them in another order. So only names that are known are taken.
"""

from __future__ import annotations

import re

from mu2net_core.nn.pretrained.config import Config
from mu2net_core.nn.pretrained.files import ModelFiles
from mu2net_core.nn.pretrained.published import DISTILLED, REGISTERS, Names, Pixels, Published

__all__ = ["ARCHITECTURE", "read_timm"]

ARCHITECTURE = "architecture"
"""What gives the library's name of a model."""

_KNOWN = re.compile(r"(?:vit|deit|deit3)_(tiny|small|medium|base|large|huge)_patch[0-9]{1,2}_(?:[0-9]{2,3}|dinov2)")
_DISTILLED = re.compile(r"deit_[a-z]+_distilled_.*")
_HEADS = {"tiny": 3, "small": 6, "medium": 8, "base": 12, "large": 16, "huge": 16}

_TAKEN = frozenset({"act_layer", "global_pool", "num_heads"})
_IN_THE_ARRAYS = frozenset(
    {"depth", "embed_dim", "img_size", "in_chans", "init_values", "mlp_ratio", "no_embed_class", "patch_size"}
    | {"num_classes", "qkv_bias", "dynamic_img_size", "strict_img_size", "proj_bias"}
)
"""Arguments that the arrays tell of, too, or that change nothing of what is computed."""

_POOLING = {"token": "first", "avg": "mean"}

_NAMES = Names(
    prefixes=("",),
    patches="patch_embed.proj",
    norm="norm",
    norm_of_mean="fc_norm",
    class_token="cls_token",  # noqa: S106  no password
    positions="pos_embed",
    block="blocks.{}.",
    norm_attention="norm1",
    query_key_value=("attn.qkv",),
    out="attn.proj",
    norm_mlp="norm2",
    mlp=("mlp.fc1", "mlp.fc2"),
    scales=("ls1.gamma", "ls2.gamma"),
    left_out=("head.", "pre_logits.", "mask_token"),
    refused={
        "dist_token": DISTILLED,
        "reg_token": REGISTERS,
        "norm_pre.": "it normalises before the first block, and models here do not",
    },
)


def read_timm(files: ModelFiles) -> Published:
    """Returns what a folder of the library says of its model.

    Raises:
        InvalidInputError: it cannot be represented; the reason is told.
    """
    config = Config(where=files.where, values=files.config)
    name = config.values.get(ARCHITECTURE)
    if isinstance(name, str) and _DISTILLED.fullmatch(name):
        raise config.refuse(DISTILLED)
    match = _KNOWN.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise config.wrong(ARCHITECTURE, "a plain ViT, DeiT or DINOv2, such as vit_base_patch16_224")
    arguments = _arguments(config)
    prepared = _section(config, "pretrained_cfg") if "pretrained_cfg" in config.values else config
    pooling = arguments.values.get("global_pool", config.values.get("global_pool", "token"))
    if not isinstance(pooling, str) or pooling not in _POOLING:
        raise config.wrong("global_pool", f"one of {', '.join(_POOLING)}")
    return Published(
        title=f"timm {name}",
        heads=arguments.size("num_heads", _HEADS[match[1]]),
        names=_NAMES,
        pixels=Pixels(mean=prepared.channels("mean", (), least=-1e6), std=prepared.channels("std", (), least=1e-6)),
        interpolation="antialiased",
        options={"gelu": arguments.gelu("act_layer"), "pooling": _POOLING[pooling]},
    )


def _arguments(config: Config) -> Config:
    """Returns the arguments that a model is made with beyond those of its name."""
    arguments = _section(config, "model_args")
    unknown = sorted(name for name in arguments.values if name not in _TAKEN | _IN_THE_ARRAYS)
    if unknown:
        raise config.refuse(f"it is made with {unknown[0][:80]}, which models here have not")
    return arguments


def _section(config: Config, name: str) -> Config:
    """Returns a part of a config without what is null there."""
    values = config.values.get(name) or {}
    if not isinstance(values, dict):
        raise config.wrong(name, "an object")
    return Config(where=config.where, values={key: value for key, value in values.items() if value is not None})
