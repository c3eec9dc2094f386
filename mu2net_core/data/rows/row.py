"""What a row is, whatever file it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

__all__ = ["Cell", "Row", "decoded", "encoded", "is_missing", "number_of"]

Cell = str | float | None
"""Text without spaces around it, a number (of JSON Lines and Parquet), or nothing."""

Row = Sequence[Cell]
"""The cells of all columns of a file, in their order."""

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
    if not isinstance(cell, str):
        return None if cell is None else float(cell)
    if "_" in cell:  # Python reads these, nobody else does
        return None
    try:
        return float(cell if decimal == "." else cell.replace(".", "").replace(decimal, "."))
    except ValueError:
        return None


def encoded(names: Sequence[str], cells: Sequence[Cell]) -> bytes:
    """Returns a row as one JSON object: its cells by the names of their columns, in order."""
    return _encoder.encode(dict(zip(names, cells, strict=True)))


def decoded(data: bytes) -> dict[str, Cell]:
    """Returns the cells of such an object by the names of their columns."""
    return _decoder.decode(data)
