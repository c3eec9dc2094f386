"""Every setting but the preset's: limits, this machine, and those that stand alone. A new one is told here, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mu2net_core.api.settings.origins import ALL_VALUES
from mu2net_core.api.settings.sizes import check_max_size
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import LIMITS, LIMITS_PREFIX, MACHINE_PREFIX, Limits, MachineConfig, described
from mu2net_core.repo.core import Value

__all__ = [
    "ALONE",
    "COMMIT_HOST",
    "FOLLOW_PURGES",
    "MAX_SIZE",
    "REQUIRE_SIGNED",
    "SIGN_KEY",
    "Alone",
    "check_own",
    "own_defaults",
    "own_descriptions",
]

COMMIT_HOST = "commit.host"
FOLLOW_PURGES = "pull.follow_purges"
MAX_SIZE = "cache.max_size"
REQUIRE_SIGNED = "pull.require_signed"
SIGN_KEY = "sign.key"

_LONGEST_HOST = 255
_GROUPS: Mapping[str, tuple[type[Limits | MachineConfig], Limits | MachineConfig, str]] = {
    LIMITS_PREFIX: (Limits, LIMITS, "the most "),
    MACHINE_PREFIX: (MachineConfig, MachineConfig(), ""),
}
"""What many settings begin with: the value whose fields they are, its defaults, and how their descriptions begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A setting that is no field of a value.

    Attributes:
        text: what it is, in a line.
        check: raises InvalidInputError if a value of this key is of the wrong type or form.
        default: what it is where nobody sets it.
        holds: of a setting that names a file of this machine, what the file holds; empty for others. Such a path is
            relative to the working folder of the repository, and none if it is empty.
    """

    text: str
    check: Callable[[str, Value], object]
    default: Value = ""
    holds: str = ""


def _check_host(key: str, value: Value) -> None:
    if not isinstance(value, str) or len(value) > _LONGEST_HOST or not value.isprintable():
        raise InvalidInputError(
            f"{key}: expected a name of up to {_LONGEST_HOST} characters, got {str(value)[:80]!r}.", hint=ALL_VALUES
        )


def _check_flag(key: str, value: Value) -> None:
    if not isinstance(value, bool):
        raise InvalidInputError(f"{key}: expected true or false, got {str(value)[:80]!r}.", hint=ALL_VALUES)


def _check_path(key: str, value: Value) -> None:
    if not isinstance(value, str):
        raise InvalidInputError(
            f"{key}: expected the path of a file, got {value!r}.",
            hint=f"mu2net config set {key} FILE, with {ALONE[key].holds}",
        )


ALONE: Mapping[str, Alone] = {
    MAX_SIZE: Alone(
        text="so much of what a remote has, too, stays after every evolve, pull and eval, e.g. 2GB; empty is all",
        check=check_max_size,
    ),
    COMMIT_HOST: Alone(
        text="what commits call this machine; by default its host name, and empty leaves it out", check=_check_host
    ),
    FOLLOW_PURGES: Alone(
        text="whether a pull sets aside here what others purged on the remote; by default all stays",
        check=_check_flag,
        default=False,
    ),
    REQUIRE_SIGNED: Alone(
        text="a file of allowed keys (ssh's allowed_signers): take over only what one of them signed",
        check=_check_path,
        holds="the keys you trust, as ssh's allowed_signers",
    ),
    SIGN_KEY: Alone(
        text="your OpenSSH Ed25519 key, which signs commits, tags and purges; the public half if ssh-agent has it",
        check=_check_path,
        holds="your Ed25519 key",
    ),
}
"""The settings that are no field of a value, by key."""


def own_defaults() -> dict[str, Value]:
    """Returns every setting but the preset's, with its default, by key."""
    alone = {key: setting.default for key, setting in ALONE.items()}
    return alone | {
        key: getattr(defaults, key.removeprefix(prefix))
        for prefix, (group, defaults, _) in _GROUPS.items()
        for key in group.settings_keys()
    }


def own_descriptions() -> dict[str, str]:
    """Returns what each setting but the preset's is, in a line, by key."""
    alone = {key: setting.text for key, setting in ALONE.items()}
    return alone | {
        f"{prefix}{name}": f"{begins}{text}"
        for prefix, (group, _, begins) in _GROUPS.items()
        for name, text in described(group).items()
    }


def check_own(key: str, value: Value) -> None:
    """Checks the type and form of a value; files that it names are not looked at.

    Args:
        key: one of those of ``own_defaults``.
        value: of the setting.

    Raises:
        InvalidInputError: the value is none that the setting can have; the message names the key.
    """
    if key in ALONE:
        ALONE[key].check(key, value)
        return
    for prefix, (group, _, _) in _GROUPS.items():
        if key.startswith(prefix):
            group.of({key: value})
