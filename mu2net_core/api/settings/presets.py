"""Presets by name: those that come with mu2net, and the user's own, which are one of these with other numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mu2net_core.api.context import Context
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.presets import (
    ARCHITECTURE,
    AUTO,
    PRESETS,
    PRESETS_ADDED,
    Preset,
    check_names,
    preset_keys,
    preset_named,
    with_settings,
)
from mu2net_core.repo.core import Value, flatten, read_user_table
from mu2net_core.repo.history import near

__all__ = ["chosen_preset", "preset_names"]

_SECTIONS = ("architecture", "default", "evolve", "scorer", "space")
_IMAGE, _PATCH = f"{ARCHITECTURE}image", f"{ARCHITECTURE}patch"


def preset_names(context: Context) -> tuple[str, ...]:
    """Returns the names of all presets, sorted; the user's own among them."""
    return tuple(sorted({AUTO, *PRESETS, *PRESETS_ADDED.names(), *_own(context)}))


def chosen_preset(name: str, context: Context) -> tuple[Preset, Mapping[str, Value]]:
    """Returns the preset that a repository gets by ``name``, and the settings that make it the user's own.

    Raises:
        NotFoundError: there is none; the hint lists those there are.
        InvalidInputError: it is the user's own, and cannot be right.
    """
    own = _own(context)
    if name not in own:
        if name not in PRESETS and name not in PRESETS_ADDED:
            raise NotFoundError(f"No preset {name!r}.", hint=f"Presets: {', '.join(preset_names(context))}")
        return preset_named(name), {}
    try:
        return _expanded(name, own[name])
    except InvalidInputError as exc:
        message = f"Cannot use the preset {name} in {context.user_config}: {exc.message}"
        raise InvalidInputError(message, hint=exc.hint or "Correct the file by hand.") from exc


def _own(context: Context) -> Mapping[str, Any]:
    table = read_user_table(context.user_config, "presets")
    return {str(name): entry for name, entry in table.items()}


def _expanded(name: str, entry: object) -> tuple[Preset, Mapping[str, Value]]:
    if name == AUTO or name in PRESETS:
        raise InvalidInputError("a preset that comes with mu2net has this name.", hint="Call yours something else.")
    if not isinstance(entry, Mapping):
        raise InvalidInputError(f"expected a table, got {str(entry)[:80]!r}.")
    base = _base(entry.get("base"))
    settings = flatten(_sections(entry))
    unknown = next((key for key in settings if key not in preset_keys(base)), None)
    if unknown is not None:
        raise InvalidInputError(
            f"there is no setting {unknown}.", hint=near(unknown, preset_keys(base), "mu2net config list")
        )
    settings = settings | _image_sizes(base, settings)
    _check_image(with_settings(base, settings))
    for key, value in settings.items():
        check_names(key, value)
    return base, settings


def _base(name: object) -> Preset:
    if not isinstance(name, str) or (name not in PRESETS and name not in PRESETS_ADDED):
        known = sorted({*PRESETS, *PRESETS_ADDED.names()})
        raise InvalidInputError(f"its base is {name!r}, expected one of {', '.join(known)}.")
    return preset_named(name)


def _sections(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    sections = {key: value for key, value in entry.items() if key != "base"}
    for key, value in sections.items():
        if key not in _SECTIONS or not isinstance(value, Mapping):
            raise InvalidInputError(f"expected 'base' and the tables {', '.join(_SECTIONS)}, got {key}.")
    return sections


def _image_sizes(base: Preset, settings: Mapping[str, Value]) -> dict[str, Value]:
    """Returns the sizes images may have where the user's sizes of models say so and nothing else does.

    As many patches on a side as the base's, and what the models begin with.
    """
    if "image_size" not in base.space.values or not {_IMAGE, _PATCH} & settings.keys():
        return {}
    sizes = with_settings(base, {key: settings[key] for key in (_IMAGE, _PATCH) if key in settings}).architecture.config
    image, patch, before = int(sizes["image"]), int(sizes["patch"]), int(base.architecture.config["patch"])
    scaled = {int(size) // before * patch for size in base.space.values["image_size"]}
    made: dict[str, Value] = {"space.image_size": sorted(scaled | {image}), "default.image_size": image}
    return {key: value for key, value in made.items() if key not in settings}


def _check_image(made: Preset) -> None:
    """Checks that a root begins with images of the size that its architecture is made for."""
    image, default = made.architecture.config.get("image"), made.space.defaults.get("image_size")
    if default is not None and image != default:
        raise InvalidInputError(f"default.image_size is {default} and {_IMAGE} is {image}: they must be the same.")
