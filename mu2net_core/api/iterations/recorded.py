"""The settings that an iteration was begun with, as its state and its commit record them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mu2net_core.objects import RunSetting, encode, hash_bytes
from mu2net_core.presets import Preset, preset_named, preset_values, with_settings

__all__ = ["changed_settings", "digest_of", "recorded_preset"]


def changed_settings(preset: Preset) -> dict[str, RunSetting]:
    """Returns the settings in force that differ from the preset's own, by dotted key."""
    own = preset_values(preset_named(preset.name))
    values = preset_values(preset).items()
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in values
        if repr(value) != repr(own[key])  # 0 is not 0.0
    }


def digest_of(preset: Preset) -> str:
    """Returns the hash of all settings in force: another batch size or search space makes other children."""
    return hash_bytes(encode(replace(preset, summary="")))


def recorded_preset(name: str, changed: Mapping[str, RunSetting]) -> Preset:
    """Returns the preset ``name`` with the settings that were recorded as changed.

    Raises:
        NotFoundError: there is no such preset here.
        InvalidInputError: it has no such settings.
    """
    return with_settings(preset_named(name), changed)
