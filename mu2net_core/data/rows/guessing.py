"""What goes in where nobody says it: a table of all columns, or the text that one of them holds; guessed, and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mu2net_core.data.rows.row import Cell, is_missing, number_of
from mu2net_core.data.wording import some

__all__ = ["LONGEST", "LOOKED_AT", "Guess", "guessed", "is_text"]

LOOKED_AT, LONGEST = 500, 1_000
"""Rows that are looked at, and characters of a cell."""

_WORDS, _ENOUGH = 3, 20
_IDS = {"id", "idx", "uuid", "index", "key", "unnamed: 0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What goes in.

    Attributes:
        text: the place of the column whose texts go in, among those that are left; None if it is a table.
        note: what should be known of that.
    """

    text: int | None = None
    note: str | None = None


def guessed(names: Sequence[str], cells: Sequence[Sequence[Cell]], *, said: bool) -> Guess:
    """Returns whether texts go in: of the only column, or of the only one that holds text if no other says anything.

    Args:
        names: of the columns.
        cells: of each column those of some rows.
        said: whether somebody named these columns.
    """
    texts = [place for place, column in enumerate(cells) if is_text(column)]
    if len(names) == 1:
        return Guess(text=0 if texts else None)
    if said or len(texts) != 1:
        told = f"{some([names[place] for place in texts])} look like texts, and a table learns nothing from them"
        return Guess(note=f"{told} (to learn from one: --columns {names[texts[0]]})" if texts and not said else None)
    (place,) = texts
    others = [name for name in names if name != names[place]]
    if all(_says_nothing(name, column) for name, column in zip(names, cells, strict=True) if name != names[place]):
        left = f"{some(others)} {'says' if len(others) == 1 else 'say'} nothing"
        return Guess(text=place, note=f"texts go in, of the column {names[place]}: {left}")
    told = f"{names[place]} looks like text, and a table learns nothing from it"
    return Guess(note=f"{told} (to learn from it alone: --columns {names[place]})")


def is_text(cells: Sequence[Cell]) -> bool:
    """Returns whether cells are free text: mostly several words, and mostly different."""
    texts = [cell for cell in cells if isinstance(cell, str) and not is_missing(cell)]
    words = sum(len(text.split()) >= _WORDS for text in texts)
    return bool(texts) and 2 * words > len(texts) and 2 * len(set(texts)) > len(texts)


def _says_nothing(name: str, cells: Sequence[Cell]) -> bool:
    """Returns whether a column is empty, holds one value, or another in each row that is a number or called an id."""
    there = [cell for cell in cells if not is_missing(cell)]
    if len(set(there)) <= 1:
        return True
    is_id = name.casefold() in _IDS or name.casefold().endswith(("_id", " id", "-id"))
    counts = all((number := number_of(cell)) is not None and number.is_integer() for cell in there)
    is_dense = counts and max(map(_whole, there)) - min(map(_whole, there)) < 2 * len(there)
    return len(there) >= _ENOUGH and len(set(there)) == len(there) and (is_id or is_dense)


def _whole(cell: Cell) -> float:
    return number_of(cell) or 0.0
