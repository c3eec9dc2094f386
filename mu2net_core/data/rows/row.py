"""What a row is, whatever file it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mu2net_core.data.source import Stored
from mu2net_core.errors import DataError

__all__ = ["Cell", "Row", "cells_of", "check_columns", "encoded", "is_missing", "number_of", "text_of"]

Cell = str | float | None
"""Text without spaces around it, a number (of JSON Lines and Parquet), or nothing."""

Row = Sequence[Cell]
"""The cells of all columns of a file, in their order."""

_MOST_COLUMNS = 10_000
"""Of a file: no model has room for a tenth of them."""

_LARGEST = 1e100
"""Numbers beyond it are none: not even their squares could be added up."""

_MISSING = frozenset({"", "?", "na", "n/a", "#n/a", "nan", "null", "<na>"})
"""What says in text that a cell is empty, whatever the case."""

_MISSING_NUMBER = _MISSING | {
    "-",
    "--",
    ".",
    "none",
    "missing",
    "unknown",
    "nil",
    "#div/0!",
    "#value!",
    "#ref!",
    "#num!",
}
"""The same, where other cells of the column are numbers."""

_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(dict[str, Any])


def is_missing(cell: Cell, *, of_numbers: bool = False) -> bool:
    """Returns whether a cell holds nothing, or says so.

    Args:
        cell: of a row.
        of_numbers: whether the column's other cells are numbers.
    """
    if isinstance(cell, str):
        return cell.lower() in (_MISSING_NUMBER if of_numbers else _MISSING)
    return cell is None or cell != cell  # noqa: PLR0124 - not a number


def number_of(cell: Cell, decimal: str = ".") -> float | None:
    """Returns the number that a cell says; None if it says none.

    Args:
        cell: of a row.
        decimal: what stands before the fraction; a comma leaves points to group digits.
    """
    if cell is None or (isinstance(cell, str) and "_" in cell):  # Python reads these, nobody else does
        return None
    if isinstance(cell, str) and decimal != ".":
        cell = cell.replace(".", "").replace(decimal, ".")
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= _LARGEST else None


def text_of(cell: Cell) -> str:
    """Returns what a cell is called: whole numbers without a fraction."""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell)


def check_columns(count: int, name: str) -> None:
    """Checks that a file has no more columns than anybody means.

    Raises:
        DataError: it has.
    """
    if count > _MOST_COLUMNS:
        raise DataError(f"{name} has {count} columns or more; at most {_MOST_COLUMNS} are read.")


def encoded(names: Sequence[str], cells: Sequence[Cell]) -> bytes:
    """Returns a row as one JSON object: its cells by the names of their columns, in order."""
    return _encoder.encode(dict(zip(names, cells, strict=True)))


def cells_of(stored: Stored) -> dict[str, Cell]:
    """Returns the cells of a row that was stored so, by the names of their columns.

    Raises:
        DataError: it is no row.
    """
    if not isinstance(stored.input, bytes):
        raise DataError(f"{stored.name}: expected a row, found an array.")
    try:
        return _decoder.decode(stored.input)
    except msgspec.MsgspecError as exc:
        raise DataError(f"{stored.name}: expected a row as a JSON object ({exc}).") from exc
