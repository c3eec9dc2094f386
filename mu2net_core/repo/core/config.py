"""Settings of a repository (``config.toml``), and where each value of a setting comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import LIMITS_PREFIX, MACHINE_PREFIX, check_name, is_identity
from mu2net_core.repo.core.format import future_format
from mu2net_core.repo.core.remote_config import Remote
from mu2net_core.storage import read_if_there
from mu2net_core.version import FORMAT

__all__ = [
    "DATA",
    "Config",
    "Layers",
    "Origin",
    "Remote",
    "Setting",
    "Value",
    "flatten",
    "is_config",
    "is_shared",
    "parse_toml",
    "parse_value",
    "read_user_config",
    "read_user_table",
]

Value = bool | int | float | str | list[Any]
Origin = Literal["option", "environment", "repository", "user", "default"]
Validate = Callable[[str, Value], None]

DATA = "data."
"""What the settings begin with that say where a task's data lies on this machine."""
_LOCAL = (DATA, LIMITS_PREFIX, MACHINE_PREFIX, "cache.", "commit.", "pull.", "sign.")
_DEEPEST = 16
_NAME = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DOTTED = re.compile(rf"(?<![A-Za-z0-9_-]){_NAME}(?:[ \t]*+\.[ \t]*+{_NAME}){{{_DEEPEST}}}")
"""So many names in one key: the parser's work and memory grow with the square of their number."""
_MALFORMED = (KeyError, TypeError, AttributeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What ``config.toml`` holds.

    Attributes:
        format: of the repository.
        identity: what it and all its copies have in common, and no other repository has: 32 hex digits.
        preset: its name.
        settings: flat, by dotted key (``evolve.children``).
        remotes: by name; a working copy's own, none in one that was read from elsewhere.
        is_partial: of one that was read from elsewhere, whether it says that components may be on a remote of its own.
        readers: who can read a shared repository, as whoever made it said; None for everybody.
    """

    format: int = FORMAT
    identity: str
    preset: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    remotes: Mapping[str, Remote] = field(default_factory=dict)
    readers: tuple[str, ...] | None = None
    is_partial: bool = False

    @classmethod
    def parse(cls, data: bytes, *, what: str, foreign: bool = False) -> Config:
        """Returns the configuration in the bytes of a ``config.toml``.

        Args:
            data: the bytes.
            what: it is, for messages.
            foreign: whether others write it: then strings that could upset a terminal are refused, and of remotes
                only whether there is a partial one is kept.

        Raises:
            InvalidInputError: it is of a future format, or holds what cannot be right.
            CorruptObjectError: it is not TOML.
        """
        table = parse_toml(data, what)
        number = table.get("format")
        if isinstance(number, int) and number != FORMAT:
            raise future_format(what, number)
        try:
            if type(number) is not int:
                raise TypeError("format is not a number")
            remotes = dict(table.get("remotes", {}))
            return cls(
                identity=_identity(table["identity"]),
                preset=check_name(table["preset"], "preset"),
                settings=_settings(table.get("settings", {}), foreign=foreign),
                remotes={} if foreign else {name: _remote(name, entry) for name, entry in remotes.items()},
                is_partial=foreign and any(map(_says_partial, remotes.values())),
                format=number,
                readers=_readers(table.get("readers")),
            )
        except InvalidInputError as exc:
            raise InvalidInputError(f"Cannot read {what}: {exc.message}", hint=exc.hint) from exc
        except _MALFORMED as exc:
            raise InvalidInputError(f"Cannot read {what}: missing or misplaced entry ({str(exc)[:200]}).") from exc

    @property
    def shared_settings(self) -> Mapping[str, Value]:
        """The settings that go along to other copies: not what is for this machine (``data.``, ``limits.`` ...)."""
        return {key: value for key, value in self.settings.items() if is_shared(key)}

    def dump(self) -> bytes:
        """Returns the bytes of ``config.toml``."""
        import tomli_w  # only writing needs it

        table: dict[str, Any] = {"format": self.format, "identity": self.identity, "preset": self.preset}
        if self.readers is not None:
            table["readers"] = list(self.readers)
        if self.settings:
            table["settings"] = _nest(self.settings)
        if self.remotes:
            table["remotes"] = {name: _remote_table(self.remotes[name]) for name in sorted(self.remotes)}
        return tomli_w.dumps(table).encode()

    def with_setting(self, key: str, value: Value, *, validate: Validate | None = None) -> Config:
        """Returns a copy with ``key`` set; ``validate`` raises InvalidInputError for an unknown key or wrong value."""
        check_setting_key(key)
        if validate is not None:
            validate(key, value)
        clash = next((k for k in self.settings if _is_inside(k, key) or _is_inside(key, k)), None)
        if clash is not None:
            raise InvalidInputError(f"Cannot set {key}: {clash} is set, and one cannot lie inside the other.")
        return replace(self, settings={**self.settings, key: value})

    def without_setting(self, key: str) -> Config:
        """Returns a copy with ``key`` unset; raises NotFoundError if it is not set here."""
        if key not in self.settings:
            raise NotFoundError(f"{key} is not set in this repository.", hint="See `mu2net config list --origin`.")
        return replace(self, settings={k: v for k, v in self.settings.items() if k != key})

    def with_remote(self, remote: Remote) -> Config:
        """Returns a copy with ``remote`` added or replaced."""
        return replace(self, remotes={**self.remotes, remote.name: remote})

    def without_remote(self, name: str) -> Config:
        """Returns a copy without a remote; raises NotFoundError if there is none of that name."""
        if name not in self.remotes:
            raise NotFoundError(f"There is no remote {name}.", hint="See `mu2net remote list`.")
        return replace(self, remotes={n: r for n, r in self.remotes.items() if n != name})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The value in force for one key, and where it comes from."""

    key: str
    value: Value
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """All layers of settings, strongest first: option, ``MU2NET_*`` environment, repository, user, default."""

    options: Mapping[str, Value] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    repository: Mapping[str, Value] = field(default_factory=dict)
    user: Mapping[str, Value] = field(default_factory=dict)
    defaults: Mapping[str, Value] = field(default_factory=dict)

    def get(self, key: str) -> Setting | None:
        """Returns the setting in force, or None if no layer has it."""
        if key in self.options:
            return Setting(key=key, value=self.options[key], origin="option")
        variable = environment_name(key)
        if variable in self.environ:
            return Setting(key=key, value=parse_value(self.environ[variable]), origin="environment")
        layers: tuple[tuple[Origin, Mapping[str, Value]], ...] = (
            ("repository", self.repository),
            ("user", self.user),
            ("default", self.defaults),
        )
        return next((Setting(key=key, value=m[key], origin=o) for o, m in layers if key in m), None)

    def all(self) -> tuple[Setting, ...]:
        """Returns the setting in force for every key that a layer other than the environment names, sorted."""
        keys = {*self.options, *self.repository, *self.user, *self.defaults}
        return tuple(setting for key in sorted(keys) if (setting := self.get(key)) is not None)


def is_shared(key: str) -> bool:
    """Returns whether a setting goes along to other copies, and is not for this machine."""
    return not key.startswith(_LOCAL)


def environment_name(key: str) -> str:
    """Returns the environment variable that sets ``key``: ``evolve.children`` is ``MU2NET_EVOLVE_CHILDREN``."""
    return "MU2NET_" + key.upper().replace(".", "_").replace("-", "_")


def parse_value(text: str) -> Value:
    """Returns ``text`` as the TOML value it spells (number, boolean, list, quoted string), else as a string."""
    try:
        value = tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except (ValueError, RecursionError):  # no TOML, a number of thousands of digits, brackets without end
        return text
    return value if isinstance(value, bool | int | float | str | list) else text


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    """Returns nested tables as one mapping with dotted keys."""
    return dict(_flat(table, prefix))


def read_user_config(path: Path | None) -> Mapping[str, Value]:
    """Returns the settings in a user's ``config.toml``, flat; none if there is no such file."""
    return flatten(read_user_table(path, "settings"))


def read_user_table(path: Path | None, name: str) -> Mapping[str, Any]:
    """Returns the table ``name`` of a user's ``config.toml``; an empty one if there is no such file or table."""
    data = None if path is None else read_if_there(path)
    if data is None:
        return {}
    try:
        table = tomllib.loads(data.decode()).get(name, {})
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"Cannot read {path}: {exc}.", hint="Correct the file by hand.") from exc
    if not isinstance(table, Mapping):
        raise InvalidInputError(f"Cannot read {path}: {name} is no table.", hint="Correct the file by hand.")
    return table


def check_setting_key(key: str) -> str:
    """Returns ``key`` unchanged; raises InvalidInputError if it is not dotted words, or ``data.`` and a task's name."""
    if key.startswith(DATA):
        check_name(key.removeprefix(DATA), "task name")
    elif not all(part.replace("_", "").replace("-", "").isalnum() and part.isascii() for part in key.split(".")):
        raise InvalidInputError(f"Not a setting: {key[:120]!r}. Expected words joined by dots, e.g. evolve.children.")
    return key


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Value]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def is_config(data: bytes) -> bool:
    """Returns whether these are the settings of a repository, of whatever format."""
    try:
        return type(parse_toml(data, "settings").get("format")) is int
    except (CorruptObjectError, InvalidInputError):
        return False


def _nest(settings: Mapping[str, Value]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key in sorted(settings):
        *folders, last = key.split(".")
        table = nested
        for name in folders:
            table = table.setdefault(name, {})
        table[last] = settings[key]
    return nested


def parse_toml(data: bytes, what: str) -> Mapping[str, Any]:
    """Returns what stands in bytes that others may have written.

    Raises:
        CorruptObjectError: they are not TOML.
        InvalidInputError: reading them would take far more memory than they have bytes.
    """
    try:
        text = data.decode()
        bomb = _DOTTED.search(text)
        table = {} if bomb else tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # of which broken TOML and UTF-8 are kinds
        raise CorruptObjectError(f"Cannot read {what}: {str(exc)[:200]}.", hint="Correct the file by hand.") from exc
    if bomb:
        why = f"more than {_DEEPEST} names are joined by dots"
        raise InvalidInputError(f"Cannot read {what}: missing or misplaced entry ({why}).")
    return table


def _settings(table: Mapping[str, Any], *, foreign: bool) -> Mapping[str, Value]:
    """Returns a table of settings, flat, checked so that it can be written again."""
    pairs = list(_flat(table, ""))
    settings = dict(pairs)
    outer = {key.rpartition(".")[0] for key in settings}
    parents = {".".join(parts[:n]) for parts in (key.split(".") for key in outer) for n in range(1, len(parts) + 1)}
    if len(settings) != len(pairs) or parents & settings.keys():
        raise InvalidInputError("two settings share a key, or one lies inside another.")
    for key, value in pairs:
        check_setting_key(key)
        if not _is_value(value) or (foreign and not _is_printable(value)):
            raise InvalidInputError(f"the value of {key} is none of number, boolean, text, list of these.")
    return settings


def _is_inside(key: str, other: str) -> bool:
    return key.startswith(f"{other}.")


def _is_value(value: object) -> bool:
    return isinstance(value, bool | int | float | str) or (isinstance(value, list) and all(map(_is_value, value)))


def _is_printable(value: object) -> bool:
    return all(map(_is_printable, value)) if isinstance(value, list) else str(value).isprintable()


def _identity(text: object) -> str:
    if not isinstance(text, str) or not is_identity(text):
        raise ValueError("identity is not 32 lower-case hex digits")
    return text


def _says_partial(entry: object) -> bool:
    """Returns whether a remote in somebody else's settings is a partial one, as it is unless it says otherwise."""
    return isinstance(entry, Mapping) and entry.get("partial", True) is True


def _remote(name: str, entry: Mapping[str, Any]) -> Remote:
    return Remote(
        name=name,
        url=entry["url"],
        readers=_readers(entry.get("readers")),
        partial=bool(entry.get("partial", True)),
        options=dict(entry.get("options", {})),
    )


def _readers(names: object) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list):
        raise TypeError("readers is not a list")
    return tuple(sorted({check_name(name, "reader") for name in names}))


def _remote_table(remote: Remote) -> dict[str, Any]:
    table: dict[str, Any] = {"url": remote.url, "partial": remote.partial}
    if remote.readers is not None:
        table["readers"] = list(remote.readers)
    return {**table, "options": dict(sorted(remote.options.items()))} if remote.options else table
