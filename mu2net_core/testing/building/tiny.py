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
_PATCHES = {"convnet-8": 4, "convnet-16": 8}
"""By preset how much of an image is a token: there are four of them."""


@contextmanager
def tiny_presets() -> Iterator[None]:
    """Makes ``convnet-8`` and ``convnet-16`` tiny: one block, and nothing that mutations could change."""
    with patch.dict(PRESETS, {name: _tiny(preset_named(name), size) for name, size in _PATCHES.items()}):
        yield


def _tiny(preset: Preset, size: int) -> Preset:
    config: Mapping[str, int | float | str] = {**preset.architecture.config, **_SIZES, "patch": size}
    still = {**preset.space.defaults, "num_layers": 1}
    return replace(
        preset,
        architecture=replace(preset.architecture, config=config),
        space=SearchSpace(values={name: (value,) for name, value in still.items()}, defaults=still),
    )
