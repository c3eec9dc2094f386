"""The preset in force: the repository's, with every layer of settings applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mu2net_core.api.context import Context
from mu2net_core.api.settings.origins import ALL_VALUES, blaming, origin_text
from mu2net_core.api.settings.own import COMMIT_HOST, FOLLOW_PURGES, check_own, own_defaults, own_descriptions
from mu2net_core.api.settings.serving import preset_of, presets_in
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import MachineConfig, Task
from mu2net_core.presets import (
    ARCHITECTURE,
    Preset,
    check_names,
    preset_descriptions,
    preset_keys,
    preset_values,
    with_settings,
)
from mu2net_core.repo import Layers, Repository, Setting
from mu2net_core.repo.core import DATA, Value, environment_name, read_user_config
from mu2net_core.repo.history import near

__all__ = [
    "default_values",
    "effective_follow_purges",
    "effective_host",
    "effective_machine",
    "effective_path",
    "effective_preset",
    "known_keys",
    "layers_of",
    "method_keys",
    "preset_in_force",
    "setting_descriptions",
    "unknown_setting",
    "unknown_settings",
]

_NO_SETTINGS = {"MU2NET_CACHE_DIR"}
"""Variables that are read apart from settings, though they are called like some."""

_PRESET_TEXT = "what the repository was made from: the family and sizes of its models, and all defaults"
_DIFFERS = "as each task's preset has it"


def method_keys(*presets: Preset) -> frozenset[str]:
    """Returns every setting that overrides something of ``presets``, those that the tasks of a repository have.

    Where each has its own, the sizes of models are no setting: a preset's roots are the same in every copy.
    """
    keys = {key for preset in presets for key in preset_keys(preset)}
    return frozenset(key for key in keys if len(presets) == 1 or not key.startswith(ARCHITECTURE))


def known_keys(*presets: Preset) -> tuple[str, ...]:
    """Returns every setting that a repository whose tasks have ``presets`` can have, sorted."""
    return tuple(sorted({*method_keys(*presets), *own_defaults()}))


def default_values(*presets: Preset) -> dict[str, Value]:
    """Returns what each setting is where nobody sets it, by key; where presets differ, words that say so."""
    values, found = [preset_values(preset) for preset in presets], dict[str, Value]()
    for key in method_keys(*presets):
        first, *others = [own[key] for own in values if key in own]
        found[key] = first if all(repr(other) == repr(first) for other in others) else _DIFFERS
    return found | own_defaults()


def setting_descriptions(*presets: Preset) -> dict[str, str]:
    """Returns what each setting of a repository whose tasks have ``presets`` is, in a line, by key; sorted."""
    known, texts = method_keys(*presets), dict[str, str]()
    for preset in presets:
        texts |= {key: text for key, text in preset_descriptions(preset).items() if key in known}
    return dict(sorted((texts | own_descriptions() | {"preset": _PRESET_TEXT}).items()))


def unknown_setting(key: str, *presets: Preset) -> NotFoundError:
    """Returns the error that says there is no such setting, and what is called like it."""
    return NotFoundError(f"There is no setting {key!r}.", hint=near(key, known_keys(*presets), "mu2net config list"))


def effective_preset(
    repo: Repository, context: Context, options: Mapping[str, Any] | None = None, *, task: Task | None = None
) -> Preset:
    """Returns the preset that serves ``task`` under option > environment > repository > user settings.

    Args:
        repo: whose preset it is, or whose tasks have presets of their own.
        context: for the environment and the user's configuration.
        options: by setting key; None values are left out.
        task: any, where all have the repository's preset.

    Raises:
        NotFoundError: there is no such preset here.
        InvalidInputError: a value is of the wrong type or range; the message says where it was set.
    """
    return preset_in_force(preset_of(repo, task), repo.config.settings, context, options)


def preset_in_force(
    preset: Preset, settings: Mapping[str, Value], context: Context, options: Mapping[str, Any] | None = None
) -> Preset:
    """Returns ``preset`` under option > environment > ``settings`` of a repository > user settings.

    Raises:
        InvalidInputError: a value is of the wrong type or range; the message says where it was set.
    """
    layers = layers_of(settings, context, options={k: v for k, v in (options or {}).items() if v is not None})
    found = {key: setting for key in preset_keys(preset) if (setting := layers.get(key)) is not None}
    try:
        return _checked(preset, found.values())
    except InvalidInputError as exc:
        blamed = "; ".join(origin_text(setting, context) for setting in _blamed(preset, found))
        raise InvalidInputError(f"{exc.message} Set by {blamed}.", hint=exc.hint or ALL_VALUES) from exc


def effective_machine(repo: Repository, context: Context) -> MachineConfig:
    """Returns how this machine computes, by environment > repository > user settings.

    Raises:
        InvalidInputError: a value is none of those there are.
    """
    layers = layers_of(repo.config.settings, context)
    found = [setting for key in MachineConfig.settings_keys() if (setting := layers.get(key)) is not None]
    blaming(found, context, lambda setting: MachineConfig.of({setting.key: setting.value}))
    return MachineConfig.of({setting.key: setting.value for setting in found})


def effective_host(settings: Mapping[str, Value], context: Context) -> str:
    """Returns what commits call this machine, by environment > ``settings`` of a repository > user settings.

    Raises:
        InvalidInputError: the value is no text that can be printed.
    """
    found = layers_of(settings, context).get(COMMIT_HOST)
    return context.host if found is None else str(_checked_own(found))


def effective_follow_purges(settings: Mapping[str, Value], context: Context) -> bool:
    """Returns whether purges by others are followed, by environment > ``settings`` of a repository > user settings.

    Raises:
        InvalidInputError: the value is neither true nor false.
    """
    found = layers_of(settings, context).get(FOLLOW_PURGES)
    return found is not None and bool(_checked_own(found))


def layers_of(
    settings: Mapping[str, Value],
    context: Context,
    *,
    options: Mapping[str, Value] | None = None,
    defaults: Mapping[str, Value] | None = None,
) -> Layers:
    """Returns the layers over a repository's ``settings``; what is chosen once only a repository sets."""
    user = read_user_config(context.user_config)
    chosen_once = environment_name(ARCHITECTURE)
    return Layers(
        options=options or {},
        environ={name: text for name, text in context.environ.items() if not name.startswith(chosen_once)},
        repository=settings,
        user={key: value for key, value in user.items() if not key.startswith(ARCHITECTURE)},
        defaults=defaults or {},
    )


def effective_path(context: Context, settings: Mapping[str, Value], key: str, folder: Path) -> Path | None:
    """Returns the file that a setting names, by environment > ``settings`` > user settings.

    Args:
        context: for the environment and the user's configuration.
        settings: of the repository.
        key: of a setting that names a file.
        folder: that a relative path starts from.

    Raises:
        InvalidInputError: the value is no text.
    """
    layers = Layers(environ=context.environ, repository=settings, user=read_user_config(context.user_config))
    found = layers.get(key)
    if found is None or found.value == "":
        return None
    return folder / Path(str(_checked_own(found))).expanduser()


def unknown_settings(repo: Repository, context: Context) -> tuple[str, ...]:
    """Returns a warning for all that looks like a setting and is none, with near names.

    Looked at are environment variables, the repository's ``config.toml`` and the user's own.
    """
    keys = known_keys(*presets_in(repo))
    known = tuple(sorted(environment_name(key) for key in keys if not key.startswith(ARCHITECTURE)))
    sections = tuple({f"{environment_name(key.partition('.')[0])}_" for key in keys})
    variables = sorted(set(context.environ) - _NO_SETTINGS)
    found = [(name, name, known) for name in variables if name.startswith(sections)]
    user = read_user_config(context.user_config)
    for settings, place in ((repo.config.settings, repo.path / "config.toml"), (user, context.user_config)):
        found += [(key, f"{key} in {place}", keys) for key in sorted(settings) if not key.startswith(DATA)]
    return tuple(
        f"{what} is no setting and does nothing. {near(name, names, 'mu2net config list')}"
        for name, what, names in found
        if name not in names
    )


def _checked_own(setting: Setting) -> Value:
    check_own(setting.key, setting.value)
    return setting.value


def _checked(preset: Preset, settings: Iterable[Setting]) -> Preset:
    """Returns ``preset`` with settings applied whose values are right, and name what is there."""
    values = {setting.key: setting.value for setting in settings}
    changed = with_settings(preset, values)
    for key, value in values.items():
        check_names(key, value)
    return changed


def _fits(preset: Preset, settings: Iterable[Setting]) -> bool:
    try:
        _checked(preset, settings)
    except InvalidInputError:
        return False
    return True


def _blamed(preset: Preset, found: Mapping[str, Setting]) -> list[Setting]:
    """Returns the settings without any one of which all would fit; if there are none, those that fit not even alone."""
    without = [one for one in found.values() if _fits(preset, [other for other in found.values() if other is not one])]
    alone = [one for one in found.values() if not _fits(preset, [one])]
    return without or alone or list(found.values())
