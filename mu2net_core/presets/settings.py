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
from mu2net_core.objects import Architecture, Hyperparameter, Scorer, described
from mu2net_core.plugins import Registry
from mu2net_core.presets.hyperparameters import HYPERPARAMETERS, SIZES
from mu2net_core.presets.preset import Preset, TrainingConfig
from mu2net_core.scoring import SCORERS
from mu2net_core.search import METHODS

__all__ = [
    "ARCHITECTURE",
    "STRUCTURAL_KEY",
    "check_names",
    "preset_choices",
    "preset_descriptions",
    "preset_keys",
    "preset_values",
    "with_settings",
]

ARCHITECTURE = "architecture."
"""What the settings begin with that are sizes of all models, chosen once."""

STRUCTURAL_KEY = "space.structural"
"""The setting that lists the enabled kinds of changes of structure."""

MERGING_KEY = "space.merging"
"""The setting that lists the shares of another model's layer in merges."""

CROSSING_KEY = "space.crossing"
"""The setting that says whether blocks of other architectures may be taken over."""

_NAMES: Mapping[str, Registry[Any]] = {"evolve.method": METHODS, "scorer.name": SCORERS}
"""The settings that name something which other packages can add to."""

_FIXED = frozenset({"channels"})
"""Sizes that follow from what examples are."""

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


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
    ways = {STRUCTURAL_KEY: list(space.structural), MERGING_KEY: list(space.merging), CROSSING_KEY: space.crossing}
    return {**values, **ways}


def preset_descriptions(preset: Preset) -> dict[str, str]:
    """Returns what each setting of ``preset_values`` is, in a line."""
    texts = {f"evolve.{name}": text for name, text in described(TrainingConfig).items()}
    texts |= {f"scorer.{name}": text for name, text in described(Scorer).items()}
    texts |= {f"{ARCHITECTURE}{name}": text for name, text in SIZES.items()}
    for name, meaning in HYPERPARAMETERS.items():
        texts[f"space.{name}"] = f"values of: {meaning.text}"
        texts[f"default.{name}"] = f"what roots begin with: {meaning.text}"
    texts[STRUCTURAL_KEY] = "kinds of changes of structure; of a vit or convnet adapter, block, heads, lora, mlp"
    texts[MERGING_KEY] = "shares that layers of other models may have in merges, e.g. [0.25, 0.5, 0.75]; [] merges none"
    texts[CROSSING_KEY] = "whether blocks of models of other architectures may be taken over"
    return {key: texts.get(key, "") for key in preset_keys(preset)}


def preset_choices(key: str) -> tuple[str, ...]:
    """Returns the values that a setting can have where they are few and known; else none."""
    return _NAMES[key].names() if key in _NAMES else ()


def check_names(key: str, value: object) -> None:
    """Checks that what a setting names is there: a search method, a scorer.

    Apart from ``with_settings``, because what one machine has installed another may lack.

    Raises:
        InvalidInputError: no installed package offers it; a near name is in the hint.
    """
    if key in _NAMES and str(value) not in _NAMES[key]:
        known, name = " or ".join(_NAMES[key].names()), str(value)[:80]
        raise InvalidInputError(f"{key}: expected {known}, got {name!r}.", hint=_NAMES[key].hint(name))


def with_settings(preset: Preset, settings: Mapping[str, Any]) -> Preset:
    """Returns ``preset`` with a repository's ``settings`` (dotted keys) applied.

    Raises:
        InvalidInputError: a key of ours that does not exist, or a value of the wrong type or range.
    """
    values, defaults = dict(preset.space.values), dict(preset.space.defaults)
    structural, merging, crossing = preset.space.structural, preset.space.merging, preset.space.crossing
    sizes = dict(preset.architecture.config)
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
        elif key == MERGING_KEY:
            merging = tuple(map(float, _listed(key, value, 0.5)))
        elif key == CROSSING_KEY:
            crossing = _alike(key, value, False)
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
            space=replace(
                preset.space,
                values=values,
                defaults=defaults,
                structural=structural,
                merging=merging,
                crossing=crossing,
            ),
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
        raise InvalidInputError(f"{key}: expected finite numbers, got {repr(value)[:80]}.")


def _check_ranges(key: str, name: str, value: object) -> None:
    """Refuses values that no model could be trained with; what is of another kind is refused elsewhere."""
    meaning = HYPERPARAMETERS.get(name)
    for one in value if isinstance(value, list | tuple) else (value,):
        if meaning is not None and not meaning.allows(one):
            raise InvalidInputError(f"{key}: expected {meaning.expected}, got {repr(one)[:80]}.")


def _known(key: str, name: str, known: Mapping[str, Hyperparameter]) -> Hyperparameter:
    if name not in known:
        raise InvalidInputError(f"Unknown setting {key}.", hint=f"Known: {', '.join(sorted(known))}")
    return known[name]


def _listed(key: str, value: object, like: Hyperparameter) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidInputError(
            f"{key}: expected a list of values, got {repr(value)[:80]}.", hint=f"For one value: {key} = [{value}]"
        )
    return tuple(_alike(key, one, like) for one in value)


def _alike(key: str, value: Any, like: Hyperparameter) -> Any:
    """Returns ``value``, which must be of the kind of ``like``: a whole number where that is one, and so on."""
    kinds = (int, float) if isinstance(like, float) else type(like)
    if isinstance(value, bool) != isinstance(like, bool) or not isinstance(value, kinds):
        raise InvalidInputError(f"{key}: expected {_KINDS[type(like)]}, got {repr(value)[:80]}.")
    return value


def _positive(key: str, value: Any) -> Any:
    if isinstance(value, int | float) and not value > 0:
        raise InvalidInputError(f"{key}: expected a positive number, got {repr(value)[:80]}.")
    return value


def _checked(key: str, name: str, value: object, target: TrainingConfig | Scorer) -> object:
    names = [field.name for field in fields(target)]
    if name not in names:
        raise InvalidInputError(f"Unknown setting {key}.", hint=f"Known: {', '.join(names)}")
    wanted = type(getattr(target, name))
    return wanted(_alike(key, value, getattr(target, name)))
