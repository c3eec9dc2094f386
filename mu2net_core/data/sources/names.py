"""Names of folders that people take for the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from unicodedata import normalize

from mu2net_core.data.wording import some

__all__ = ["look_alikes", "same_class"]

_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def same_class(name: str) -> str:
    """Returns what is the same for names that differ in case, spaces, signs between words or leading zeros only."""
    return _BETWEEN_WORDS.sub("", _LEADING_ZEROS.sub("", normalize("NFKC", name).casefold()))


def look_alikes(names: Collection[str]) -> Iterator[str]:
    """Yields which names are easily taken for each other, and what they differ in."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_shape(name), []).append(name)
    alike = [group for group in groups.values() if len(group) > 1]
    for what in ("upper and lower case", "spaces", "characters that look alike"):
        if found := [name for group in alike if _difference(group) == what for name in group]:
            shown = found if what == "upper and lower case" else [ascii(name) for name in found]
            yield f"classes whose names differ in {what} only: {some(shown, 10)}"


def _shape(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())


def _difference(names: Collection[str]) -> str:
    """Returns in what names differ that have the same shape."""
    if len({name.lower() for name in names}) == 1:
        return "upper and lower case"
    if len({" ".join(name.lower().split()) for name in names}) == 1:
        return "spaces"
    return "characters that look alike"
