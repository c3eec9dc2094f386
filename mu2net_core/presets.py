"""Presets: a root model's sizes, how children are trained, and the search space, by name.

Every number can be overridden per repository (``mu2net config set``): ``evolve.*`` for training, ``scorer.*`` for the
score, ``space.<hyperparameter>`` for a list of values and ``default.<hyperparameter>`` for where a root starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Architecture, Hyperparameter, Scorer
from mu2net_core.search.space import SearchSpace

__all__ = ["PRESETS", "STRUCTURAL_KEY", "Preset", "TrainingConfig", "preset_named", "with_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How many children, and how each is trained.

    Attributes:
        generations: per task iteration.
        children: per generation.
        validations: training cycles per child, each followed by one validation.
        batch_size: examples per gradient step, at most.
        samples_cap: examples per cycle, at most; a cycle is never more than one epoch.
        validation_cap: validation examples used to score, at most.
        clip_norm: gradients are scaled down to this global norm.
        population_cap: models of the task alive during an iteration, at most: the best stay.
    """

    generations: int = 4
    children: int = 8
    validations: int = 4
    batch_size: int = 512
    samples_cap: int = 51200
    validation_cap: int = 5120
    clip_norm: float = 1.0
    population_cap: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise InvalidInputError(f"evolve.{field.name}: expected a positive number, got {value}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named starting point for a repository."""

    name: str
    summary: str
    architecture: Architecture
    space: SearchSpace
    training: TrainingConfig = TrainingConfig()
    scorer: Scorer = Scorer()


STRUCTURAL_KEY = "space.structural"
"""The setting that lists the enabled kinds of changes of structure."""

_VALUES: Mapping[str, tuple[Hyperparameter, ...]] = {
    "mu": tuple(round(0.02 * step, 2) for step in range(1, 16)),
    "learning_rate": (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5),
    "warmup_ratio": (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4),
    "momentum": (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99),
    "nesterov": (False, True),
}
_DEFAULTS: Mapping[str, Hyperparameter] = {
    "mu": 0.1,
    "learning_rate": 1e-2,
    "warmup_ratio": 0.1,
    "momentum": 0.9,
    "nesterov": False,
}


def _vit(image: int, patch: int, width: int, heads: int, mlp: int) -> Architecture:
    sizes = {"image": image, "patch": patch, "width": width, "heads": heads, "mlp": mlp, "channels": 3}
    return Architecture(name="vit", config=sizes)


def _space(root_layers: int, layers: range, **defaults: Hyperparameter) -> SearchSpace:
    return SearchSpace(
        values={**_VALUES, "num_layers": tuple(layers)},
        defaults={**_DEFAULTS, "num_layers": root_layers, **defaults},
    )


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="vit-mini",
            summary="A small ViT for 8x8 images: demonstrations and tests on a laptop.",
            architecture=_vit(image=8, patch=2, width=96, heads=6, mlp=192),
            space=_space(1, range(1, 3), mu=0.2, learning_rate=0.1),
            training=TrainingConfig(generations=3, children=4, batch_size=32),
        ),
        Preset(
            name="vit-ti0",
            summary="ViT-Ti/16 without blocks; evolution grows up to 3. Images of 32x32.",
            architecture=_vit(image=32, patch=16, width=192, heads=3, mlp=768),
            space=_space(0, range(4), mu=0.2),
        ),
        Preset(
            name="vit-ti3",
            summary="ViT-Ti/16 with 3 blocks. Images of 32x32.",
            architecture=_vit(image=32, patch=16, width=192, heads=3, mlp=768),
            space=_space(3, range(4)),
        ),
    )
}


def preset_named(name: str) -> Preset:
    """Returns the preset called ``name``.

    Raises:
        NotFoundError: there is none; the message lists those there are.
    """
    if name not in PRESETS:
        raise NotFoundError(f"No preset {name!r}.", hint=f"Presets: {', '.join(sorted(PRESETS))}")
    return PRESETS[name]


def with_settings(preset: Preset, settings: Mapping[str, Any]) -> Preset:
    """Returns ``preset`` with a repository's ``settings`` (dotted keys) applied.

    Raises:
        InvalidInputError: a key of ours that does not exist, or a value of the wrong type or range.
    """
    values, defaults = dict(preset.space.values), dict(preset.space.defaults)
    structural = preset.space.structural
    training: dict[str, Any] = {}
    scorer: dict[str, Any] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        if section != "evolve":
            _check_finite(key, value)
        if section == "evolve":
            training[name] = _checked(key, name, value, preset.training)
        elif section == "scorer":
            scorer[name] = _checked(key, name, value, preset.scorer)
        elif key == STRUCTURAL_KEY:
            structural = _listed(key, value, "")
        elif section == "space":
            values[name] = _listed(key, value, _known(key, name, preset.space.defaults))
        elif section == "default":
            defaults[name] = _alike(key, value, _known(key, name, preset.space.defaults))
    try:
        return replace(
            preset,
            space=SearchSpace(values=values, defaults=defaults, structural=structural),
            training=replace(preset.training, **training),
            scorer=replace(preset.scorer, **scorer),
        )
    except InvalidInputError:
        raise
    except (ValueError, TypeError) as exc:
        raise InvalidInputError(f"The settings do not fit preset {preset.name}: {exc}.") from exc


def _check_finite(key: str, value: object) -> None:
    """Refuses what no model could be stored with."""
    numbers = value if isinstance(value, list | tuple) else (value,)
    if not all(isfinite(number) for number in numbers if isinstance(number, float)):
        raise InvalidInputError(f"{key}: expected finite numbers, got {value}.")


def _known(key: str, name: str, known: Mapping[str, Hyperparameter]) -> Hyperparameter:
    if name not in known:
        raise InvalidInputError(f"Unknown setting {key}.", hint=f"Hyperparameters: {', '.join(sorted(known))}")
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


def _checked(key: str, name: str, value: object, target: TrainingConfig | Scorer) -> object:
    names = [field.name for field in fields(target)]
    if name not in names:
        raise InvalidInputError(f"Unknown setting {key}.", hint=f"Known: {', '.join(names)}")
    wanted = type(getattr(target, name))
    if isinstance(value, bool) or not isinstance(value, (int, float) if wanted is float else wanted):
        raise InvalidInputError(f"{key}: expected {wanted.__name__}, got {value!r}.")
    return wanted(value)
