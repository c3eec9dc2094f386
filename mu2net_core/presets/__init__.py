"""Presets: a root model's sizes, how children are trained, and the search space; and changing their numbers."""

from mu2net_core.presets.hyperparameters import HYPERPARAMETERS, Meaning
from mu2net_core.presets.preset import Preset, TrainingConfig
from mu2net_core.presets.settings import (
    ARCHITECTURE,
    STRUCTURAL_KEY,
    check_names,
    preset_choices,
    preset_descriptions,
    preset_keys,
    preset_values,
    with_settings,
)
from mu2net_core.presets.shipped import PRESETS, preset_named

__all__ = [
    "ARCHITECTURE",
    "HYPERPARAMETERS",
    "PRESETS",
    "STRUCTURAL_KEY",
    "Meaning",
    "Preset",
    "TrainingConfig",
    "check_names",
    "preset_choices",
    "preset_descriptions",
    "preset_keys",
    "preset_named",
    "preset_values",
    "with_settings",
]
