"""Refusing what a newer mu2net wrote, with a sentence that says so."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import msgspec

from mu2net_core.errors import CorruptObjectError, NewerError
from mu2net_core.objects import KINDS, LIMITS, Limits, decode_strict, is_later, is_version, made_by_newer
from mu2net_core.version import FORMAT

__all__ = ["check_format", "check_newer", "decode_formatted", "future_format"]


class Formatted(Protocol):
    """What says of which format it is."""

    @property
    def format(self) -> int:
        """The major version."""


T = TypeVar("T", bound=Formatted)


class _Stamp(msgspec.Struct):
    """The keys that are looked at; the rest is skipped, whatever it is."""

    format: Any = None
    kind: Any = None
    needs: Any = None


_STAMP = msgspec.json.Decoder(_Stamp)  # made once: threads must not make msgspec look into a class at the same time


def check_format(what: str, found: int) -> None:
    """Checks that something that was read is of our format; raises NewerError if not."""
    if found != FORMAT:
        raise future_format(what, found)


def check_newer(data: bytes, what: str) -> None:
    """Checks that ``data``, which could not be read, does not say that a newer mu2net wrote it.

    Raises:
        NewerError: it is of another format, an object of an unknown kind, or needs a later version.
    """
    try:
        stamp = _STAMP.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return
    if isinstance(stamp.format, int) and not isinstance(stamp.format, bool):
        check_format(what, stamp.format)
    needs = stamp.needs if isinstance(stamp.needs, str) and is_version(stamp.needs) else None
    if isinstance(stamp.kind, str) and stamp.kind not in KINDS:
        raise made_by_newer(f"Cannot read {what}", f"it is of the kind {stamp.kind[:40]!r}", needs=needs)
    if needs is not None and is_later(needs):
        raise made_by_newer(f"Cannot read {what}", "it does not read as one of this version does", needs=needs)


def decode_formatted(kind: type[T], data: bytes, *, what: str, limits: Limits = LIMITS) -> T:
    """Returns the manifest, ref, report or lease of our format that ``data`` is, which is trusted in nothing.

    Raises:
        CorruptObjectError: it is not what it should be.
        NewerError: a newer mu2net wrote it.
    """
    try:
        value = decode_strict(data, kind, what=what, limits=limits)
    except CorruptObjectError:
        check_newer(data, what)
        raise
    check_format(what, value.format)
    return value


def future_format(what: str, found: object) -> NewerError:
    """Returns the error for something written in a format this version does not read."""
    return made_by_newer(
        f"Cannot read {what}", f"it is of format {found}, a future format; this mu2net reads format {FORMAT}"
    )
