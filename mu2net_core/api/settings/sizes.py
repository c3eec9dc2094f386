"""Sizes as users write them."""

from __future__ import annotations

import re

from mu2net_core.errors import InvalidInputError
from mu2net_core.repo.core import Value

__all__ = ["check_max_size", "parse_size"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Returns the bytes in ``2GB``, ``500M``, ``1GiB`` or ``0``; raises InvalidInputError for what is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidInputError(f"Not a size: {text!r}. Expected a number and B, kB, MB, GB or TB, e.g. 2GB.")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** " kmgt".index(match[2].lower() or " "))


def check_max_size(key: str, value: Value) -> None:
    """Checks the value of a setting that bounds something: a size, or empty for none; raises InvalidInputError."""
    if value == "":
        return
    try:
        parse_size(str(value))
    except InvalidInputError as exc:
        raise InvalidInputError(f"{key}: {exc.message[0].lower()}{exc.message[1:]}", hint=exc.hint) from exc
