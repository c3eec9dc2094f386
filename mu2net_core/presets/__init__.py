"""Presets: a root model's sizes, how children are trained, and the search space; and changing their numbers."""

from mu2net_core.presets.preset import Preset, TrainingConfig
from mu2net_core.presets.settings import ARCHITECTURE, STRUCTURAL_KEY, preset_keys, preset_values, with_settings
from mu2net_core.presets.shipped import PRESETS, preset_named

__all__ = [
    "ARCHITECTURE",
    "PRESETS",
    "STRUCTURAL_KEY",
    "Preset",
    "TrainingConfig",
    "preset_keys",
    "preset_named",
    "preset_values",
    "with_settings",
]
