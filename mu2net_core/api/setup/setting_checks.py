"""Whether the value of a setting can be right, asked as soon as it is set rather than when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.looking.names import task_head
from mu2net_core.api.settings.origins import blaming
from mu2net_core.api.settings.own import ALONE, SIGN_KEY, check_own, own_defaults
from mu2net_core.api.settings.serving import is_auto, presets_in
from mu2net_core.api.settings.settings import (
    known_keys,
    layers_of,
    preset_in_force,
    unknown_setting,
)
from mu2net_core.api.signing.keys import read_allowed_keys
from mu2net_core.api.signing.signing import read_signer
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.objects import LIMITS_PREFIX, Limits
from mu2net_core.presets import ARCHITECTURE, Preset, check_names, with_settings
from mu2net_core.repo import Repository, Setting
from mu2net_core.repo.core import DATA, Value

__all__ = ["check_not_chosen_once", "check_value", "placed", "wrong_settings"]

_BUILT = ("space.", "default.")
"""What the settings begin with that decide whether a model can be built."""


def check_not_chosen_once(key: str) -> None:
    """Checks that a setting may be changed in a repository that is there."""
    if key == "preset" or key.startswith(ARCHITECTURE):
        raise InvalidInputError(f"Cannot change {key}: it is chosen once.", hint="Make another: mu2net init DIR")


def placed(repo: Repository, context: Context, key: str, value: Value) -> Value:
    """Returns ``value`` with a path in it such that it means from the repository's folder what it means from here."""
    if not isinstance(value, str) or not value or context.cwd == repo.worktree:
        return value
    if key.startswith(DATA):
        from mu2net_core.data import absolute_uri  # numpy comes along

        return absolute_uri(value, context.cwd)
    return str(context.cwd / Path(value).expanduser()) if _names_file(key) else value


def check_value(repo: Repository, context: Context, key: str, value: Value) -> None:
    """Checks a value together with the repository's other settings.

    Raises:
        NotFoundError: there is no such setting, task or file.
        InvalidInputError: the value is of the wrong type or range, or names nothing that is there.
    """
    presets = presets_in(repo)
    check_not_chosen_once(key)
    if key.startswith(DATA):
        _check_data(repo, context, key, value)
    elif key not in known_keys(*presets):
        raise unknown_setting(key, *presets)
    elif key in own_defaults():
        check_own(key, value)
        if _names_file(key):
            _check_file(repo, context, key, value)
    else:
        _check_fits_all(repo, presets, key, value)


def wrong_settings(repo: Repository, context: Context) -> tuple[str, ...]:
    """Returns what is wrong with the values in force, wherever they come from, as far as it shows at a glance.

    Whether models can be built from them is not tried, and no key is read.
    """
    layers = layers_of(repo.config.settings, context)
    others = [key for key in own_defaults() if not key.startswith(LIMITS_PREFIX)]  # those were read to open it
    found = [setting for key in others if (setting := layers.get(key)) is not None]
    checks: list[Callable[[], object]] = [
        partial(preset_in_force, preset, repo.config.settings, context) for preset in presets_in(repo)
    ]
    checks += [partial(blaming, [setting], context, partial(_look, repo)) for setting in found]
    return tuple(dict.fromkeys(filter(None, map(_complaint, checks))))


def _look(repo: Repository, setting: Setting) -> None:
    key, value = setting.key, setting.value
    check_own(key, value)
    if _names_file(key) and value and not (repo.worktree / Path(str(value)).expanduser()).is_file():
        raise NotFoundError(f"{key}: there is no file {value}.")


def _names_file(key: str) -> bool:
    return key in ALONE and bool(ALONE[key].holds)


def _complaint(check: Callable[[], object]) -> str | None:
    try:
        check()
    except Mu2netError as exc:
        return exc.message
    return None


def _check_fits_all(repo: Repository, presets: Sequence[Preset], key: str, value: Value) -> None:
    """Checks a value with every preset that serves a task here."""
    for preset in presets:
        try:
            _check_fits(preset, repo.config.settings, repo.limits, key, value)
        except InvalidInputError as exc:
            if not is_auto(repo):
                raise
            names = ", ".join(one.name for one in presets)
            hint = f"It is for the tasks of every preset here ({names}): choose one that fits all."
            raise InvalidInputError(f"{exc.message} So it does not fit the preset {preset.name}.", hint=hint) from exc


def _check_fits(preset: Preset, settings: Mapping[str, Value], limits: Limits, key: str, value: Value) -> None:
    """Checks the value together with the repository's others; the error names the key, whatever is wrong."""
    try:
        check_names(key, value)
        changed = with_settings(preset, {**settings, key: value})
        if key.startswith(_BUILT):
            from mu2net_core.api.settings.buildable import check_buildable  # jax comes along

            check_buildable(changed, limits)
    except InvalidInputError as exc:
        message = exc.message if key in exc.message else f"Cannot set {key} to {value!r}. {exc.message}"
        raise InvalidInputError(message, hint=exc.hint) from exc


def _check_data(repo: Repository, context: Context, key: str, value: Value) -> None:
    """Checks ``data.TASK``: where the task's data lies on this machine; a place that is not there now is only told."""
    from mu2net_core.data import check_digits, local_path, split_uri  # numpy comes along

    task_head(repo, key.removeprefix(DATA))
    if not isinstance(value, str):
        raise InvalidInputError(f"{key}: expected the URI of a data set, got {value!r}.", hint="E.g. folder:PATH")
    scheme, rest = split_uri(value)
    if scheme == "sklearn":
        check_digits(rest)
    path = local_path(value, repo.worktree)
    if path is not None and not path.exists():
        context.warn(f"{key}: there is no {path} on this machine now.")


def _check_file(repo: Repository, context: Context, key: str, value: Value) -> None:
    """Checks that a setting names a file with what it is to hold; empty is none."""
    if not value:
        return
    path = repo.worktree / Path(str(value)).expanduser()
    try:
        read_signer(path, context) if key == SIGN_KEY else read_allowed_keys(path)
    except Mu2netError as exc:
        raise type(exc)(exc.message if key in exc.message else f"{key}: {exc.message}", hint=exc.hint) from exc
