"""Refusing what a newer mu2net wrote, with a sentence that says so."""

from __future__ import annotations

import msgspec

from mu2net_core.errors import InvalidInputError
from mu2net_core.version import FORMAT

__all__ = ["check_format", "future_format"]


class _Stamp(msgspec.Struct):
    """The one key that is looked at; the rest is skipped, whatever it is."""

    format: int | None = None


_STAMP = msgspec.json.Decoder(_Stamp)  # made once: threads must not make msgspec look into a class at the same time


def check_format(data: bytes, what: str, found: object = None) -> None:
    """Checks that ``data`` is of our format, by its ``found`` format number or, without one, its own key ``format``.

    Raises:
        InvalidInputError: it says it is of another format; bytes that say nothing pass.
    """
    if found is None:
        try:
            found = _STAMP.decode(data).format
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return
    if isinstance(found, int) and found != FORMAT:
        raise future_format(what, found)


def future_format(what: str, found: object) -> InvalidInputError:
    """Returns the error for something written in a format this version does not read."""
    return InvalidInputError(
        f"Cannot read {what}: it is of format {found}, a future format; this mu2net reads format {FORMAT}.",
        hint="Upgrade: pip install -U mu2net",
    )
