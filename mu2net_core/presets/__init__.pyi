from .auto import AUTO, AUTO_PRESETS, Choice, choose
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
    "AUTO",
    "AUTO_PRESETS",
    "HYPERPARAMETERS",
    "PRESETS",
    "PRESETS_ADDED",
    "Choice",
    "Preset",
    "TrainingConfig",
    "check_names",
    "choose",
    "preset_choices",
    "preset_descriptions",
    "preset_keys",
    "preset_named",
    "preset_values",
    "with_settings",
]
