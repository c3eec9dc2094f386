"""Counts and lists of names, as they stand in what is told of a data set."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted", "number", "some"]

_EXACT = 2**53


def counted(count: int, noun: str) -> str:
    """Returns ``1 picture`` or ``2 pictures``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def some(names: Sequence[str], most: int = 3, *, between: str = ", ") -> str:
    """Returns the first names, and how many more there are."""
    rest = len(names) - most
    return between.join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def number(value: float) -> str:
    """Returns a whole number with all its digits if they can be counted on, any other with six."""
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT else f"{value:.6g}"
