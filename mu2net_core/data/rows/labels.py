"""Several labels of each row: of the cells of one column, lists or text with a separator, or of columns of 0 and 1.

Rows that have the same labels share them: of each row the number of its set is kept, and of each set a bit for every
label.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mu2net_core.data.rows.label_shares import parted_by_labels
from mu2net_core.data.rows.row import Cell, is_missing, number_of, text_of
from mu2net_core.data.wording import counted, some
from mu2net_core.errors import DataError
from mu2net_core.objects import Labels

__all__ = ["NONE", "Flags", "LabelSets", "in_order", "label_sets", "list_in", "looks_separated"]

NONE = -1
"""The code of what holds nothing."""

_MOST_SETS, _MOST_LABELS = 2**20, 10_000
_SEPARATORS = ("|", ";", ",")
_YES, _NO = frozenset({"1", "true", "yes", "y", "t"}), frozenset({"0", "false", "no", "n", "f"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSets:
    """The labels of all rows.

    Attributes:
        codes: int32 [N], the number of each row's set; ``NONE`` where nobody knows.
        sets: uint8 [V, ceil(K / 8)], the bits of each set.
        output: the K labels.
        separator: that was found between them, if there is one.
        note: what should be known of how they were found.
    """

    codes: np.ndarray
    sets: np.ndarray
    output: Labels
    separator: str | None = None
    note: str | None = None

    @property
    def known(self) -> np.ndarray:
        """Bool [N], of which rows the labels are known."""
        return np.asarray(self.codes != NONE)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Returns uint8 [n, K], the labels of ``rows``, which are known."""
        return np.unpackbits(self.sets[self.codes[rows]], axis=1, count=self.output.size)

    def parted(self, rows: np.ndarray, shares: Mapping[str, int]) -> dict[str, np.ndarray]:
        """Returns the rows of each of ``shares``, and of train, which gets the rest: of every label its share."""
        return parted_by_labels(rows, self.sets[self.codes[rows]], self.output.size, shares)


class Flags:
    """Several columns of 0 and 1, taken in row by row: each is a label.

    Args:
        names: of the columns.
        decimal: what stands before the fraction of a number.
    """

    def __init__(self, names: Sequence[str], decimal: str) -> None:
        self.name = some(names)
        self._names, self._decimal = tuple(names), decimal
        self._codes = array("i")
        self._sets: dict[tuple[bool, ...], int] = {}

    def add(self, cells: Sequence[Cell]) -> None:
        """Takes the cells of the next row in; a row of which one is empty has no labels that are known.

        Raises:
            DataError: one is neither 0 nor 1.
        """
        if any(map(is_missing, cells)):
            self._codes.append(NONE)
            return
        found = tuple(self._flag(cell, name) for cell, name in zip(cells, self._names, strict=True))
        self._codes.append(self._sets.setdefault(found, len(self._sets)))
        _check_sets(len(self._sets), self.name)

    def labels(self) -> LabelSets:
        """Returns the labels of all rows.

        Raises:
            DataError: no row has any, or all are the same.
        """
        bits = np.array(list(self._sets), np.uint8).reshape(len(self._sets), len(self._names))
        _check_learnable(bits, self.name)
        codes = np.frombuffer(self._codes, np.int32)
        return LabelSets(codes=codes, sets=np.packbits(bits, axis=1), output=Labels(names=self._names))

    def _flag(self, cell: Cell, name: str) -> bool:
        said, number = text_of(cell).lower(), number_of(cell, self._decimal)
        if said in _YES or number == 1:
            return True
        if said in _NO or number == 0:
            return False
        raise DataError(
            f"The column {name} of several labels has neither 0 nor 1 in every row: there is {text_of(cell)!r}.",
            hint="Name columns of 0 and 1, or a single one: --target COLUMN",
        )


def label_sets(values: Iterable[str], codes: np.ndarray, name: str, separator: str | None, decimal: str) -> LabelSets:
    """Returns the labels that the cells of a column name.

    Args:
        values: the different cells, by their number: JSON lists, or text.
        codes: of each row the number of its cell.
        name: of the column.
        separator: between labels in a text; None finds one.
        decimal: what stands before the fraction of labels that are numbers.

    Raises:
        DataError: nothing separates labels, they are too many, or none.
    """
    cells = list(values)
    lists = [list_in(cell) for cell in cells]
    found = separator
    if found is None and None in lists:
        found = _separator(cells, name)
    parts = [_distinct(_split(cell, found) if one is None else one) for cell, one in zip(cells, lists, strict=True)]
    names = in_order({label for part in parts for label in part}, decimal)
    if len(names) > _MOST_LABELS:
        raise DataError(f"The column {name} has {len(names)} different labels; at most {_MOST_LABELS} are learned.")
    places = {label: place for place, label in enumerate(names)}
    sets = np.zeros((len(cells), (len(names) + 7) // 8), np.uint8)
    for row, part in enumerate(parts):
        for label in part:
            sets[row, places[label] // 8] |= 128 >> places[label] % 8
    _check_learnable(sets, name)
    how = "in lists" if found is None else f"separated by {found!r}"
    how += "" if found is None or separator is not None else " (another: --label-separator)"
    return LabelSets(
        codes=codes,
        sets=sets,
        output=Labels(names=tuple(names)),
        separator=found,
        note=f"{name} holds {counted(len(names), 'label')}, {how}: {some(names)}",
    )


def in_order(names: Iterable[str], decimal: str) -> list[str]:
    """Returns names in alphabetical order, numbers by size."""
    listed = list(names)
    numbers = [number_of(name, decimal) for name in listed]
    keys = list(zip(numbers, listed, strict=True)) if None not in numbers else [(0, name) for name in listed]
    return [name for _, name in sorted(keys)]


def list_in(cell: str) -> list[str] | None:
    """Returns the texts or numbers of a JSON list; None of what is none."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    plain = all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in found)
    return [text for one in found if (text := text_of(one).strip())] if plain else None


def looks_separated(values: Iterable[str]) -> str | None:
    """Returns what separates labels in the cells of classes, if these look as if they named several of a few."""
    cells = list(values)
    for separator in _SEPARATORS:
        several = [cell for cell in cells if separator in cell]
        if len(several) >= 2 and len({part for cell in cells for part in _split(cell, separator)}) < len(cells):
            return separator
    return None


def _separator(cells: Sequence[str], name: str) -> str:
    most = max(_SEPARATORS, key=lambda separator: sum(separator in cell for cell in cells))
    if any(most in cell for cell in cells):
        return most
    raise DataError(
        f"No cell of the column {name} names several labels: none holds {' or '.join(_SEPARATORS)}.",
        hint="Say what separates them: --label-separator ' '",
    )


def _split(cell: str, separator: str | None) -> list[str]:
    return [part.strip() for part in cell.split(separator or None) if part.strip()]


def _distinct(labels: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(labels))


def _check_sets(count: int, name: str) -> None:
    if count > _MOST_SETS:
        raise DataError(f"{name}: more than {_MOST_SETS} different sets of labels.")


def _check_learnable(sets: np.ndarray, name: str) -> None:
    if len(sets) < 2 or not sets.any():
        found = "no row has any" if not sets.any() else "all rows have the same"
        raise DataError(f"There are no labels to learn in {name}: {found}.", hint="Name another: --target COLUMN")
