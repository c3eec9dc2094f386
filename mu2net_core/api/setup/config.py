"""``config``: settings of the repository, what they are, and where the value in force comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mu2net_core.api.context import Context
from mu2net_core.api.settings.own import COMMIT_HOST
from mu2net_core.api.settings.serving import presets_in
from mu2net_core.api.settings.settings import (
    default_values,
    known_keys,
    layers_of,
    setting_descriptions,
    unknown_setting,
)
from mu2net_core.api.setup.setting_checks import check_not_chosen_once, check_value, placed
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import MACHINE_PREFIX, MachineConfig
from mu2net_core.presets import preset_choices
from mu2net_core.redaction import looks_secret, shown
from mu2net_core.repo import Layers, Repository, Setting
from mu2net_core.repo.core import DATA, Origin, Value, parse_value
from mu2net_core.repo.history import near
from mu2net_core.storage import check_no_secret, check_no_secret_in_uri

__all__ = ["DescribedSetting", "choices", "get", "list_", "set_", "settable", "unset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedSetting:
    """A setting, as it is listed.

    Attributes:
        key: its name.
        value: the one in force.
        origin: what says so, the strongest first: an environment variable, the repository's settings, the user's
            settings, or nobody but the preset (default).
        description: what it is, in a line.
        choices: the values it can have, where they are few.
    """

    key: str
    value: Value
    origin: Origin
    description: str
    choices: tuple[str, ...] = ()


def get(repo: Repository, context: Context, key: str) -> Setting:
    """Returns the value in force for ``key``, and its origin.

    Raises:
        NotFoundError: there is no such setting; near names are in the hint.
    """
    if key == "preset":
        return Setting(key=key, value=repo.config.preset, origin="repository")
    found = _layers(repo, context).get(key)
    if found is None:
        raise unknown_setting(key, *presets_in(repo))
    return replace(found, value=_shown(found.value))


def list_(repo: Repository, context: Context, prefix: str = "") -> tuple[DescribedSetting, ...]:
    """Returns the settings whose keys begin with ``prefix``, sorted by key.

    Raises:
        NotFoundError: there are none.
    """
    texts = setting_descriptions(*presets_in(repo))
    found = sorted((get(repo, context, "preset"), *_layers(repo, context).all()), key=lambda setting: setting.key)
    chosen = tuple(
        DescribedSetting(
            key=s.key, value=_shown(s.value), origin=s.origin, description=_text(texts, s.key), choices=choices(s.key)
        )
        for s in found
        if s.key.startswith(prefix)
    )
    if not chosen:
        sections = tuple(sorted({setting.key.partition(".")[0] for setting in found}))
        raise NotFoundError(f"No setting begins with {prefix!r}.", hint=_near(prefix, sections))
    return chosen


def settable(repo: Repository) -> tuple[str, ...]:
    """Returns the keys that ``set_`` takes, sorted."""
    keys = (*known_keys(*presets_in(repo)), *(f"{DATA}{task}" for task in repo.refs.tasks()))
    return tuple(sorted(key for key in keys if not key.startswith("architecture.")))


def choices(key: str) -> tuple[str, ...]:
    """Returns the values that a setting can have where they are few and known; else none."""
    return MachineConfig.choices().get(key.removeprefix(MACHINE_PREFIX), ()) or preset_choices(key)


def set_(repo: Repository, context: Context, key: str, text: str) -> Setting:
    """Sets ``key`` in the repository to the value that ``text`` spells in TOML, and returns the value in force.

    ``data.TASK`` is where that task's data lies on this machine. A relative path means what it means from here.

    Raises:
        NotFoundError: there is no such setting, task or file.
        InvalidInputError: the value is of the wrong type or range, or names nothing that is there.
    """

    def validate(name: str, value: Value) -> None:
        check_value(repo, context, name, value)

    value = parse_value(text)
    if isinstance(value, str):
        check_no_secret_in_uri(value) if key.startswith(DATA) else check_no_secret(value, what=f"value of {key}")
    value = placed(repo, context, key, value)
    repo.update_config(lambda config: config.with_setting(key, value, validate=validate))
    return get(repo, context, key)


def unset(repo: Repository, context: Context, key: str) -> Setting | None:
    """Removes ``key`` from the repository's settings, and returns the value in force now, None if there is none.

    Raises:
        NotFoundError: it is not set in the repository.
        InvalidInputError: it is chosen once, when a repository is made.
    """
    check_not_chosen_once(key)
    repo.update_config(lambda config: config.without_setting(key))
    return _layers(repo, context).get(key)


def _layers(repo: Repository, context: Context) -> Layers:
    defaults = default_values(*presets_in(repo)) | {COMMIT_HOST: context.host}
    return layers_of(repo.config.settings, context, defaults=defaults)


def _shown(value: Value) -> Value:
    """Returns a value as it may be printed: the environment and the user's file are not asked for secrets."""
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return shown(value) if isinstance(value, str) and looks_secret(value) else value


def _text(texts: dict[str, str], key: str) -> str:
    if key.startswith(DATA):
        return f"where the data of {key.removeprefix(DATA)} lies on this machine"
    return texts.get(key, "no setting: it does nothing")


def _near(prefix: str, sections: tuple[str, ...]) -> str:
    hint = near(prefix.partition(".")[0], sections, "mu2net config list")
    return hint if hint.startswith("Did") else f"Sections: {', '.join(sections)}"
