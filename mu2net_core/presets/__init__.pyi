from .hyperparameters import HYPERPARAMETERS
from .preset import Preset, TrainingConfig
from .settings import (
    ARCHITECTURE,
    check_names,
    preset_choices,
    preset_descriptions,
    preset_keys,
    preset_values,
    with_settings,
)
from .shipped import PRESETS, PRESETS_ADDED, preset_named

__all__ = [
    "ARCHITECTURE",
    "HYPERPARAMETERS",
    "PRESETS",
    "PRESETS_ADDED",
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
