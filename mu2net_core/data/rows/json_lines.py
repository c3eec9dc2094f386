"""JSON Lines as rows: one object a line, its values by the names of the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from mu2net_core.data.rows.content import Content
from mu2net_core.data.rows.row import Cell, Row
from mu2net_core.errors import DataError

__all__ = ["JsonLinesFile", "cell_of", "find_columns", "object_in"]

_LOOKED_AT = 1_000
_MOST_COLUMNS = 10_000
_decoder = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLinesFile:
    """The rows of such a file; ``columns`` are the keys of its objects."""

    content: Content
    columns: tuple[str, ...]

    def scan(self) -> Iterator[tuple[int, int, Row | DataError]]:
        """Yields each row, or what is wrong with it, with the places where it begins and ends."""
        start = self.content.start
        for number, line in enumerate(self.content.lines(), 1):
            if line.strip():
                yield start, start + len(line), self._row(line, f"line {number}")
            start += len(line)

    def parse(self, data: bytes) -> Iterator[Row | DataError]:
        """Yields the rows that a part of the file holds."""
        return (self._row(line, "a line") for line in data.split(b"\n") if line.strip())

    def _row(self, line: bytes, name: str) -> Row | DataError:
        found = object_in(line, self.content.encoding)
        if isinstance(found, str):
            return DataError(f"{name} {found}")
        return [cell_of(found.get(column)) for column in self.columns]


def find_columns(content: Content) -> tuple[str, ...]:
    """Returns the keys of the first objects, in order.

    Raises:
        DataError: there is no object among them.
    """
    keys: dict[str, None] = {}
    found: dict[str, Any] | str = "is missing: the file is empty"
    for line in islice((line for line in content.lines() if line.strip()), _LOOKED_AT):
        found = object_in(line, content.encoding)
        if not isinstance(found, str):
            keys.update(dict.fromkeys(found))
    if not keys:
        raise DataError(
            f"Expected a JSON object in each line of {content.file.name}: line 1 {found}.",
            hint="Of one list of objects, make lines: jq -c '.[]' data.json > data.jsonl",
        )
    if len(keys) > _MOST_COLUMNS:
        raise DataError(f"{content.file.name} has {len(keys)} different keys; at most {_MOST_COLUMNS} are read.")
    return tuple(keys)


def object_in(line: bytes, encoding: str) -> dict[str, Any] | str:
    """Returns the object that a line is, or what it is instead."""
    try:
        text = line if encoding == "utf-8" else line.decode(encoding).encode()
        found = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        try:
            found = json.loads(line.decode(encoding))  # Python writes NaN, which is no JSON
        except (ValueError, RecursionError) as exc:
            return f"is no JSON ({exc})"
    except RecursionError:
        return "is nested too deeply"
    return found if isinstance(found, dict) else f"is {_TYPES.get(type(found), 'a number')}, no object"


_TYPES = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def cell_of(value: Any) -> Cell:
    """Returns a value as a cell: what is nested as its JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.strip()
    return value if value is None or isinstance(value, int | float) else msgspec.json.encode(value).decode()
