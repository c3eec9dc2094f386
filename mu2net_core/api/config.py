"""``config``: settings of the repository, and where the value in force comes from."""

from __future__ import annotations

from collections.abc import Mapping

from mu2net_core.api.context import Context
from mu2net_core.api.names import task_head
from mu2net_core.api.settings import MAX_SIZE, PATHS, known_keys, layers_of
from mu2net_core.api.sizes import check_max_size
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import LIMITS, LIMITS_PREFIX, MACHINE_PREFIX, Limits, MachineConfig
from mu2net_core.presets import ARCHITECTURE, Preset, preset_named, preset_values, with_settings
from mu2net_core.repo import Layers, Repository, Setting
from mu2net_core.repo.config import DATA, Value, parse_value
from mu2net_core.repo.revisions import near

__all__ = ["get", "list_", "set_", "unset"]


def get(repo: Repository, context: Context, key: str) -> Setting:
    """Returns the value in force for ``key``, and its origin.

    Raises:
        NotFoundError: there is no such setting; near names are in the hint.
    """
    if key == "preset":
        return Setting(key=key, value=repo.config.preset, origin="repository")
    found = _layers(repo, context).get(key)
    if found is None:
        raise _unknown(key, preset_named(repo.config.preset))
    return found


def list_(repo: Repository, context: Context) -> tuple[Setting, ...]:
    """Returns every setting with the value in force and its origin, sorted by key."""
    return tuple(sorted((get(repo, context, "preset"), *_layers(repo, context).all()), key=lambda s: s.key))


def set_(repo: Repository, context: Context, key: str, text: str) -> Setting:
    """Sets ``key`` in the repository to the value that ``text`` spells in TOML, and returns the value in force.

    ``data.TASK`` is where that task's data lies on this machine.

    Raises:
        NotFoundError: there is no such setting.
        InvalidInputError: the value is of the wrong type or range.
    """
    preset = preset_named(repo.config.preset)

    def validate(name: str, value: Value) -> None:
        _check_not_chosen_once(name)
        if name.startswith(DATA):
            _check_data(repo, name, value)
            return
        if name not in known_keys(preset):
            raise _unknown(name, preset)
        if name.startswith(LIMITS_PREFIX):
            Limits.of({name: value})
            return
        if name.startswith(MACHINE_PREFIX):
            MachineConfig.of({name: value})
            return
        if name == MAX_SIZE:
            check_max_size(value)
            return
        if name in PATHS:
            if not isinstance(value, str):
                raise InvalidInputError(f"{name}: expected the path of a file, got {value!r}.")
            return
        _check_fits(preset, repo.config.settings, name, value)

    value = parse_value(text)
    repo.update_config(lambda config: config.with_setting(key, value, validate=validate))
    return get(repo, context, key)


def unset(repo: Repository, context: Context, key: str) -> Setting | None:
    """Removes ``key`` from the repository's settings, and returns the value in force now, None if there is none.

    Raises:
        NotFoundError: it is not set in the repository.
        InvalidInputError: it is chosen once, when a repository is made.
    """
    _check_not_chosen_once(key)
    repo.update_config(lambda config: config.without_setting(key))
    return _layers(repo, context).get(key)


def _check_not_chosen_once(key: str) -> None:
    if key == "preset" or key.startswith(ARCHITECTURE):
        raise InvalidInputError(f"Cannot change {key}: it is chosen once.", hint="Make another: mu2net init DIR")


def _check_fits(preset: Preset, settings: Mapping[str, Value], key: str, value: Value) -> None:
    """Checks the value together with the repository's others; the error names the key, whatever is wrong."""
    try:
        with_settings(preset, {**settings, key: value})
    except InvalidInputError as exc:
        message = exc.message if key in exc.message else f"Cannot set {key} to {value!r}. {exc.message}"
        raise InvalidInputError(message, hint=exc.hint) from exc


def _check_data(repo: Repository, key: str, value: Value) -> None:
    """Checks ``data.TASK``: where the task's data lies on this machine."""
    task_head(repo, key.removeprefix(DATA))
    if not isinstance(value, str):
        raise InvalidInputError(f"{key}: expected the URI of a data set, got {value!r}.")


def _layers(repo: Repository, context: Context) -> Layers:
    return layers_of(repo.config.settings, context, defaults=_defaults(preset_named(repo.config.preset)))


def _defaults(preset: Preset) -> dict[str, Value]:
    limits = {key: getattr(LIMITS, key.removeprefix(LIMITS_PREFIX)) for key in Limits.settings_keys()}
    machine = MachineConfig()
    own = {key: getattr(machine, key.removeprefix(MACHINE_PREFIX)) for key in MachineConfig.settings_keys()}
    return {**preset_values(preset), **limits, **own, **dict.fromkeys((*PATHS, MAX_SIZE), "")}


def _unknown(key: str, preset: Preset) -> NotFoundError:
    return NotFoundError(f"There is no setting {key!r}.", hint=near(key, known_keys(preset), "mu2net config list"))
