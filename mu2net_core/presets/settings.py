"""Changing a preset's numbers by settings.

``evolve.*`` is for training, ``scorer.*`` for the score, ``space.<hyperparameter>`` for a list of values,
``default.<hyperparameter>`` for where a root starts, and ``architecture.*`` for the sizes of all models. The last are
chosen once, when a repository is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from math import isfinite
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import PREPARATION, Architecture, Hyperparameter, Scorer
from mu2net_core.presets.preset import Preset, TrainingConfig
from mu2net_core.search.space import SearchSpace

__all__ = ["ARCHITECTURE", "STRUCTURAL_KEY", "preset_keys", "preset_values", "with_settings"]

ARCHITECTURE = "architecture."
"""What the settings begin with that are sizes of all models, chosen once."""

STRUCTURAL_KEY = "space.structural"
"""The setting that lists the enabled kinds of changes of structure."""

_FIXED = frozenset({"channels"})
"""Sizes that follow from what examples are."""


def preset_keys(preset: Preset) -> tuple[str, ...]:
    """Returns every setting that can override something of ``preset``, sorted."""
    return tuple(sorted(preset_values(preset)))


def preset_values(preset: Preset) -> dict[str, Any]:
    """Returns the value that ``preset`` gives to every setting that can override something of it."""
    space = preset.space
    values: dict[str, Any] = {
        f"{section}.{field.name}": getattr(config, field.name)
        for section, config in (("evolve", preset.training), ("scorer", preset.scorer))
        for field in fields(config)
    }
    values |= {f"space.{name}": list(choices) for name, choices in space.values.items()}
    values |= {f"default.{name}": value for name, value in space.defaults.items()}
    values |= {f"{ARCHITECTURE}{name}": value for name, value in _sizes(preset).items()}
    return {**values, STRUCTURAL_KEY: list(space.structural)}


def with_settings(preset: Preset, settings: Mapping[str, Any]) -> Preset:
    """Returns ``preset`` with a repository's ``settings`` (dotted keys) applied.

    Raises:
        InvalidInputError: a key of ours that does not exist, or a value of the wrong type or range.
    """
    values, defaults = dict(preset.space.values), dict(preset.space.defaults)
    structural, sizes = preset.space.structural, dict(preset.architecture.config)
    training: dict[str, Any] = {}
    scorer: dict[str, Any] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        _check_finite(key, value)
        if section == "evolve":
            training[name] = _checked(key, name, value, preset.training)
        elif section == "scorer":
            scorer[name] = _checked(key, name, value, preset.scorer)
        elif key == STRUCTURAL_KEY:
            structural = _listed(key, value, "")
        elif section == "space":
            _check_ranges(key, name, value)
            values[name] = _listed(key, value, _known(key, name, preset.space.defaults))
        elif section == "architecture":
            sizes[name] = _positive(key, _alike(key, value, _known(key, name, _sizes(preset))))
        elif section == "default":
            _check_ranges(key, name, value)
            defaults[name] = _alike(key, value, _known(key, name, preset.space.defaults))
    try:
        return replace(
            preset,
            architecture=Architecture(name=preset.architecture.name, config=sizes),
            space=SearchSpace(values=values, defaults=defaults, structural=structural),
            training=replace(preset.training, **training),
            scorer=replace(preset.scorer, **scorer),
        )
    except InvalidInputError:
        raise
    except (ValueError, TypeError) as exc:
        raise InvalidInputError(f"The settings do not fit preset {preset.name}: {exc}.") from exc


def _sizes(preset: Preset) -> dict[str, Hyperparameter]:
    return {name: size for name, size in preset.architecture.config.items() if name not in _FIXED}


def _check_finite(key: str, value: object) -> None:
    """Refuses what no model could be stored with."""
    numbers = value if isinstance(value, list | tuple) else (value,)
    if not all(isfinite(number) for number in numbers if isinstance(number, float)):
        raise InvalidInputError(f"{key}: expected finite numbers, got {value}.")


def _check_ranges(key: str, name: str, value: object) -> None:
    """Refuses what no image could be prepared with."""
    if name not in PREPARATION:
        return
    _, least, greatest = PREPARATION[name]
    for number in value if isinstance(value, list | tuple) else (value,):
        if not isinstance(number, int | float) or not least <= number <= greatest:
            raise InvalidInputError(f"{key}: expected numbers from {least} to {greatest}, got {str(number)[:80]}.")


def _known(key: str, name: str, known: Mapping[str, Hyperparameter]) -> Hyperparameter:
    if name not in known:
        raise InvalidInputError(f"Unknown setting {key}.", hint=f"Known: {', '.join(sorted(known))}")
    return known[name]


def _listed(key: str, value: object, like: Hyperparameter) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidInputError(f"{key}: expected a list of values, got {value!r}.")
    return tuple(_alike(key, one, like) for one in value)


def _alike(key: str, value: Any, like: Hyperparameter) -> Any:
    """Returns ``value``, which must be of the kind of ``like``: a whole number where that is one, and so on."""
    kinds = (int, float) if isinstance(like, float) else type(like)
    if isinstance(value, bool) != isinstance(like, bool) or not isinstance(value, kinds):
        raise InvalidInputError(f"{key}: expected {type(like).__name__}, got {str(value)[:80]!r}.")
    return value


def _positive(key: str, value: Any) -> Any:
    if isinstance(value, int | float) and not value > 0:
        raise InvalidInputError(f"{key}: expected a positive number, got {value}.")
    return value


def _checked(key: str, name: str, value: object, target: TrainingConfig | Scorer) -> object:
    names = [field.name for field in fields(target)]
    if name not in names:
        raise InvalidInputError(f"Unknown setting {key}.", hint=f"Known: {', '.join(names)}")
    wanted = type(getattr(target, name))
    if isinstance(value, bool) or not isinstance(value, (int, float) if wanted is float else wanted):
        raise InvalidInputError(f"{key}: expected {wanted.__name__}, got {value!r}.")
    return wanted(value)
