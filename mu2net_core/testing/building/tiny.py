"""Presets so small that training them costs nearly nothing, for tests of what is around the training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from mu2net_core.presets import PRESETS, Preset, preset_named
from mu2net_core.search import SearchSpace

__all__ = ["tiny_presets"]

_SIZES = {"stem": 4, "conv_width": 8, "width": 16, "heads": 2, "mlp": 16}
_PATCHES = {"convnet-8": 4, "convnet-16": 8, "convnet-32": 16, "convnet-64": 16}
"""By preset how much of an image is a token: there are four of them, or nine."""

_TABLE_SIZES = {"values": 64, "width": 16, "heads": 2, "mlp": 16}
_TEXT_SIZES = {"rows": 64, "row_width": 8, "positions": 16, "width": 16, "heads": 2, "mlp": 16}
_ENCODER_SIZES = {"width": 16, "heads": 2, "mlp": 24}


@contextmanager
def tiny_presets() -> Iterator[None]:
    """Makes some presets tiny.

    These are ``convnet-8`` to ``convnet-64``, ``text-128``, ``table-8``, ``curves-8`` and ``bert-s``. They have one
    block, and nothing that mutations could change.
    """
    small = {name: _tiny(preset_named(name), {**_SIZES, "patch": size}, {}) for name, size in _PATCHES.items()}
    small["text-128"] = _tiny(preset_named("text-128"), _TEXT_SIZES, {"text_length": 32})
    small["bert-s"] = _tiny(preset_named("bert-s"), _ENCODER_SIZES, {"text_length": 12})
    small |= {name: _tiny(preset_named(name), _TABLE_SIZES, {}) for name in ("table-8", "curves-8")}
    with patch.dict(PRESETS, small):
        yield


def _tiny(preset: Preset, sizes: Mapping[str, int], chosen: Mapping[str, int]) -> Preset:
    config: Mapping[str, int | float | str] = {**preset.architecture.config, **sizes}
    still = {**preset.space.defaults, "num_layers": 1, **chosen}
    return replace(
        preset,
        architecture=replace(preset.architecture, config=config),
        space=SearchSpace(values={name: (value,) for name, value in still.items()}, defaults=still),
    )
