"""JSON Lines as rows: one object a line, its values by the names of the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from mu2net_core.data.rows.content import Content
from mu2net_core.data.rows.row import Cell, Row, check_columns
from mu2net_core.errors import DataError

__all__ = ["JsonLinesFile", "cell_of", "find_columns", "object_in"]

_LOOKED_AT, _BEGINNING = 1_000, 100
_LARGEST_INTEGER = 2**63
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
        try:
            return [cell_of(found.get(column)) for column in self.columns]
        except RecursionError:
            return DataError(f"{name} is nested too deeply")


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
            check_columns(len(keys), content.file.name)
    if not keys:
        raise DataError(
            f"Expected a JSON object in each line of {content.file.name}: line 1 {found}.",
            hint=_what_helps(content),
        )
    if broken := [key for key in keys if key != _whole(key)]:
        raise DataError(f"{content.file.name} has a key with half a character in it: {broken[0]!r}.")
    return tuple(keys)


def _what_helps(content: Content) -> str:
    """Returns what to do about a file whose first line is no object."""
    head = content.read(content.start, content.start + _BEGINNING).lstrip()
    if head.startswith(b"["):
        return "Of one list of objects, make lines: jq -c '.[]' data.json > data.jsonl"
    if head.startswith(b"{"):
        return "Of objects over several lines, make lines: jq -c . data.json > data.jsonl"
    return f"If it is CSV: csv:{content.file.name}"


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
        return _whole(value).strip()
    if isinstance(value, int) and not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
        return str(value)  # more often a name than a number that can be counted with
    if value is None or isinstance(value, int | float):
        return value
    return _whole(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _whole(text: str) -> str:
    """Returns a text in which half a character (of UTF-16, as some programs cut texts off) is U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
