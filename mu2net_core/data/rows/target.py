"""What is to be learned: which columns say it, and whether their cells are classes, numbers or several labels."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from shlex import quote

import numpy as np

from mu2net_core.data.rows.guessing import LOOKED_AT, is_text
from mu2net_core.data.rows.labels import NONE, LabelSets, in_order, label_sets, list_in, looks_separated
from mu2net_core.data.rows.row import Cell, is_missing, number_of, text_of
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Classes, Number, Output

__all__ = ["USUAL", "Coded", "Column", "find_column", "find_targets", "named_targets"]

_MOST_VALUES, _MOST_CELLS = 100_000, 2**20
"""Classes, and different cells of several labels."""
_MOST_WHOLE_CLASSES, _ENOUGH_ROWS = 20, 20
"""Whole numbers of more different values are numbers, not classes."""
USUAL = ("label", "labels", "target", "class", "y")
"""What the column that is to be learned is mostly called."""


def find_column(name: str, columns: Sequence[str], what: str) -> int:
    """Returns the place of a column.

    Raises:
        InvalidInputError: there is none of that name.
    """
    if name in columns:
        return columns.index(name)
    same = [column for column in columns if column.casefold() == name.casefold().strip()]
    if len(same) == 1:
        return columns.index(same[0])
    raise InvalidInputError(f"No column {name!r} for {what}; there are {some(columns, 40)}.")


def named_targets(wanted: str) -> list[str]:
    """Returns the names of several columns: a JSON list of them, or ``a,b``; of one the text itself."""
    try:
        names = json.loads(wanted)
    except (ValueError, RecursionError):
        names = None
    if isinstance(names, list) and len(names) > 1 and all(isinstance(name, str) for name in names):
        return names
    return [part.strip() for part in wanted.split(",") if part.strip()] if "," in wanted else [wanted]


def find_targets(wanted: str | None, columns: Sequence[str], path: str) -> tuple[int, ...]:
    """Returns the places of the columns that are to be learned; of one of the usual names, if none is wanted.

    Raises:
        DataError: none has such a name; the message lists the columns.
        InvalidInputError: there is none of a wanted name, or one is named twice.
    """
    if wanted is not None:
        names = [wanted] if wanted in columns else named_targets(wanted)
        places = tuple(find_column(name, columns, "the target") for name in names)
        if len(set(places)) < len(places):
            raise InvalidInputError(f"A column is named twice as a target: {wanted}.")
        return places
    usual = [place for place, column in enumerate(columns) if column.casefold() in USUAL]
    if len(usual) != 1:
        raise DataError(
            f"Which column of {path} is to be learned? It has {some(columns, 40)}.",
            hint=f"Name it: --target {quote(columns[usual[0] if usual else -1])}",
        )
    return (usual[0],)


class Coded:
    """A column's cells as numbers: of their value among all values, in the order in which these were met.

    Args:
        name: of the column.
        most: different values that it may have.
    """

    def __init__(self, name: str, *, most: int) -> None:
        self.name, self._most = name, most
        self.codes = array("i")
        self.values: dict[str, int] = {}

    def add(self, cell: Cell) -> None:
        """Takes the next cell in.

        Raises:
            DataError: there are too many different ones.
        """
        if is_missing(cell):
            self.codes.append(NONE)
            return
        self.codes.append(self.values.setdefault(text_of(cell), len(self.values)))
        if len(self.values) > self._most:
            raise DataError(f"The column {self.name} has more than {self._most} different values: name another.")


class Column:
    """The target's cells, taken in one by one: as values that are told apart, and as numbers while all are.

    Args:
        name: of the column.
        decimal: what stands before the fraction of a number.
        wanted: ``classes``, ``number`` or ``labels``, if somebody said it.
        known: the classes in their order, if the data says them: cells are their names, and no name is an empty cell.
    """

    def __init__(self, name: str, decimal: str, wanted: str | None = None, known: Sequence[str] | None = None) -> None:
        self.name, self._decimal, self._wanted, self._known = name, decimal, wanted, known
        self._most = _MOST_CELLS if wanted == "labels" else _MOST_VALUES
        self._codes, self._numbers = array("i"), array("d")
        self._values: dict[str, int] = {}
        self._is_number = True

    def add(self, cell: Cell) -> None:
        """Takes the next cell in.

        Raises:
            DataError: there are too many different ones.
        """
        if cell is None if self._known else is_missing(cell) and not (self._wanted == "labels" and cell == ""):
            self._codes.append(NONE)
            self._numbers.append(float("nan"))
            return
        if self._is_number:
            number = number_of(cell, self._decimal)
            self._is_number = number is not None
            self._numbers.append(number if number is not None else float("nan"))
        if len(self._values) <= self._most:
            self._codes.append(self._values.setdefault(text_of(cell), len(self._values)))
        elif not self._is_number:
            raise DataError(
                f"The column {self.name} has more than {self._most} different values, and they are no numbers.",
                hint="Name the column that is to be learned: --target COLUMN; if cells hold several: --output labels",
            )

    def labels(self, separator: str | None) -> LabelSets | None:
        """Returns the several labels of each row, if these are wanted or all cells are lists; else None.

        Raises:
            DataError: there are none, or too many.
        """
        is_list = self._wanted is None and bool(self._values) and all(map(_is_list, self._values))
        if self._wanted != "labels" and not is_list:
            return None
        codes = np.frombuffer(self._codes, np.int32)
        return label_sets(self._values, codes, self.name, separator, self._decimal)

    def output(self) -> tuple[Output, np.ndarray, str | None]:
        """Returns what comes out of models, the label of each row, and what should be known of that.

        Of classes labels are int32, ``NONE`` where the cell is empty; of numbers float64, not a number there.

        Raises:
            DataError: there are no two different values, or they are no numbers where such are wanted.
        """
        if len(self._values) < 2:
            found = some(list(self._values)) or "none"
            raise DataError(
                f"The column {self.name} has no two different values to learn, only {found}.",
                hint="Name another: --target COLUMN",
            )
        wanted = self._wanted
        if wanted == "number" and not self._is_number:
            odd = next(value for value in self._values if number_of(value, self._decimal) is None)
            raise DataError(f"The column {self.name} is no number in every row: there is {odd!r}.")
        if wanted == "number" or (wanted is None and not self._known and self._is_number and self._are_many()):
            return self._number(told=wanted is None)
        return self._classes()

    def _are_many(self) -> bool:
        whole = all(float(value).is_integer() for value in self._numbers if value == value)  # noqa: PLR0124
        return not whole or len(self._values) > _MOST_WHOLE_CLASSES

    def _number(self, *, told: bool) -> tuple[Output, np.ndarray, str | None]:
        labels = np.frombuffer(self._numbers, np.float64)
        known = labels[~np.isnan(labels)]
        output = Number(mean=float(known.mean()), deviation=float(known.std()) or 1.0)
        note = f"{self.name} is learned as a number (as classes: --output classes)"
        return output, labels, note if told else None

    def _check_told_apart(self) -> None:
        """Checks that classes that nobody named such are no texts: each would be a class of its own.

        Raises:
            DataError: they look so.
        """
        values, rows = list(self._values), sum(code != NONE for code in self._codes)
        is_said = self._wanted is not None or self._known is not None
        if not is_said and rows >= _ENOUGH_ROWS and 2 * len(values) > rows and is_text(values[:LOOKED_AT]):
            raise DataError(
                f"The column {self.name} looks like text: {len(values)} different ones in {rows} rows. Texts are read, "
                "and none is written.",
                hint="Name the column to learn: --target COLUMN. If each is a class all the same: --output classes",
            )

    def _classes(self) -> tuple[Output, np.ndarray, str | None]:
        if len(self._values) > _MOST_VALUES:
            raise DataError(f"The column {self.name} has more than {_MOST_VALUES} different values: too many classes.")
        self._check_told_apart()
        names = list(self._known or in_order(self._values, self._decimal))
        there = [place for place, name in enumerate(names) if name in self._values]
        order = np.empty(len(self._values) + 1, np.int32)
        order[[self._values[names[place]] for place in there]] = there
        order[NONE] = NONE
        folded: dict[str, str] = {}
        twins = [f"{twin} and {name}" for name in names if (twin := folded.setdefault(name.casefold(), name)) != name]
        note = f"classes that differ in case alone: {some(twins)}" if twins else None
        if self._wanted is None and not self._known and (separator := looks_separated(names)) is not None:
            note = f"if the cells of {self.name} name several labels, separated by {separator!r}: --output labels"
        return Classes(names=tuple(names)), order[np.frombuffer(self._codes, np.int32)], note


def _is_list(cell: str) -> bool:
    return list_in(cell) is not None
