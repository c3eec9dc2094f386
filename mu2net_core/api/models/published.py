"""A root from a published model: whether its sizes are those of a preset, and which preset would be one of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from blake3 import blake3

from mu2net_core.api.context import Context
from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import OPTIONS, PublishedModel, PublishedText
from mu2net_core.objects import Architecture
from mu2net_core.presets import Preset

__all__ = ["hash_of_files", "published_architecture"]

_IMAGES, _TEXTS = "vit", "bert"
_CHOICE = {
    _IMAGES: "vision transformers: mu2net init --preset vit-b",
    _TEXTS: "encoders of texts: mu2net init --preset bert-s",
}
_BROUGHT = frozenset({"vocabulary", "positions"})
"""Sizes that a published encoder brings, whatever the preset says."""


def published_architecture(
    model: PublishedModel | PublishedText, preset: Preset, where: Path, context: Context
) -> Architecture:
    """Returns the preset's architecture, whose sizes must be the model's, computing as the model does.

    Raises:
        InvalidInputError: the sizes are others; the hint is a preset of these.
    """
    config = {name: value for name, value in preset.architecture.config.items() if name not in OPTIONS}
    family = _TEXTS if isinstance(model, PublishedText) else _IMAGES
    if preset.architecture.name != family:
        raise InvalidInputError(
            f"Cannot make a root of {where}: it is a {model.title}, and {preset.name} is a {preset.architecture.name}.",
            hint=f"Such roots can only be made from the presets of {_CHOICE[family]}",
        )
    if family == _TEXTS:
        config |= {name: size for name, size in model.sizes.items() if name in _BROUGHT}
    differing = [
        f"{name} {size} instead of {config.get(name)}" for name, size in model.sizes.items() if config.get(name) != size
    ]
    if differing:
        raise InvalidInputError(
            f"Cannot make a root of {where}: it does not fit the preset {preset.name}: {', '.join(differing)}.",
            hint=_fitting(model, preset, where, context),
        )
    return replace(preset.architecture, config={**config, **model.options})


def hash_of_files(paths: Sequence[Path]) -> str:
    """Returns what ``b3sum NAMES | b3sum`` prints for several files, their names in order; of one, its hash."""
    lines = sorted((path.name, blake3().update_mmap(path).hexdigest()) for path in paths)
    if len(lines) == 1:
        return lines[0][1]
    return blake3("".join(f"{digest}  {name}\n" for name, digest in lines).encode()).hexdigest()


def _fitting(model: PublishedModel | PublishedText, preset: Preset, where: Path, context: Context) -> str:
    """Returns how to get a preset of the model's sizes, in one line."""
    if isinstance(model, PublishedText):
        sizes = {name: size for name, size in model.sizes.items() if name not in _BROUGHT}
    elif model.sizes["channels"] != preset.architecture.config.get("channels"):
        return "Choose a model of images with as many channels."
    else:
        before = preset.architecture.config
        side = int(before["image"]) // int(before["patch"]) * model.sizes["patch"]
        sizes = {"image": side, **{name: size for name, size in model.sizes.items() if name != "channels"}}
    depth = f"space = {{ num_layers = [{model.num_blocks}] }}, default = {{ num_layers = {model.num_blocks} }}"
    architecture = ", ".join(f"{name} = {size}" for name, size in sizes.items())
    place = context.user_config or "your config.toml"
    table = f'presets.mine = {{ base = "{preset.name}", architecture = {{ {architecture} }}, {depth} }}'
    return (
        f"Begin a system with a preset of its sizes: put the line  {table}  at the top of {place}, "
        f"then: mu2net init --preset mine --root {shlex.quote(str(where))}"
    )
