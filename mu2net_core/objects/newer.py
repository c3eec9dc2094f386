"""What a newer mu2net made: how that is told, and what of a task or model this version does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mu2net_core.errors import NewerError
from mu2net_core.objects.kinds import Other
from mu2net_core.objects.model import Model
from mu2net_core.objects.task import Task
from mu2net_core.plugins import offered
from mu2net_core.version import __version__

__all__ = ["is_later", "is_version", "made_by_newer", "unknown_in"]

_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}")


def made_by_newer(cannot: str, what: str, *, needs: str | None = None) -> NewerError:
    """Returns the error for something that this version does not understand.

    Args:
        cannot: what cannot be done, e.g. ``Cannot read task 3fa9…``.
        what: is not understood.
        needs: the version that it says it needs, already checked to be one; told if that is later than this one.
    """
    by = f"mu2net {needs} or newer" if needs is not None and is_later(needs) else "a newer mu2net"
    return NewerError(
        f"{cannot}: it was made by {by}: {what}; this is mu2net {__version__}.", hint="Upgrade: pip install -U mu2net"
    )


def unknown_in(value: Task | Model) -> str | None:
    """Returns what of a task or model neither this version nor an installed package knows, None if all is known."""
    return "; ".join(_unknown(value)) or None


def is_version(text: str) -> bool:
    """Returns whether ``text`` is a version as an object may name one: one to four numbers joined by points."""
    return _VERSION.fullmatch(text) is not None


def is_later(version: str) -> bool:
    """Returns whether a version, numbers joined by points, is later than this one."""
    return _numbers(version) > _numbers(__version__)


def _unknown(value: Task | Model) -> Iterator[str]:
    if isinstance(value, Task):
        for name, one in (("input", value.input), ("output", value.output)):
            if isinstance(one, Other) and one.kind not in _added(name):
                yield f"its {name} is of the kind {one.kind!r}"
    if value.unknown_keys:
        yield f"it has the keys {', '.join(value.unknown_keys)}"


def _added(what: str) -> set[str]:
    """Returns the kinds of ``input`` or ``output`` that installed packages add, without importing any."""
    names = offered("mu2net.modalities" if what == "input" else "mu2net.objectives")
    return {name.partition(".")[0] for name in names}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
