"""What a column of a table is: numbers, dates, values that are told apart, or nothing that can be learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mu2net_core.data.rows.row import Cell, is_missing, number_of, text_of
from mu2net_core.data.tables.dates import days_of, form_of
from mu2net_core.data.wording import some
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Column

__all__ = ["KINDS", "Judged", "judge", "value_of"]

KINDS = ("number", "category", "date", "none")
"""What somebody may say that a column is."""

_MOSTLY = 0.95
_NUM_KNOTS = 33
_MOST_VALUES = 254
_MANY, _FEW_OF_MANY, _FEW = 1_000, 5, 2
"""A value is told apart from others if so many rows have it, where there are many rows, or a few."""
_DISTINCT = 0.9
_ENOUGH_ROWS = 20
_DENSE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found of a column.

    Attributes:
        column: as it goes in; None if it does not.
        why_not: in a few words.
        note: what somebody should know, a sentence.
    """

    column: Column | None
    why_not: str | None = None
    note: str | None = None


def judge(name: str, cells: Sequence[Cell], decimal: str, wanted: str | None = None) -> Judged:
    """Returns what a column is.

    Args:
        name: of the column.
        cells: of some rows.
        decimal: what stands before the fraction of a number.
        wanted: one of ``KINDS``, if somebody said it.

    Raises:
        InvalidInputError: it is not what was said.
    """
    there = [cell for cell in cells if not is_missing(cell)]
    if wanted == "none":
        return Judged(column=None, why_not="left out")
    if not there:
        return Judged(column=None, why_not="empty")
    numbers, odd = _numbers(there, decimal)
    is_number = bool(len(numbers)) and len(numbers) >= _MOSTLY * (len(numbers) + len(odd))
    if wanted == "number" or (wanted is None and is_number):
        if not len(numbers):
            raise InvalidInputError(f"The column {name} has no numbers: there is {text_of(there[0])!r}.")
        return _of_numbers(name, numbers, odd, num_missing=len(cells) - len(numbers), wanted=wanted is not None)
    if wanted in {None, "date"}:
        form = form_of(text for text in there if isinstance(text, str)) if isinstance(there[0], str) else None
        if form is not None:
            days = np.array([days for cell in there if (days := days_of(cell, form)) is not None])
            return Judged(column=Column(name=name, values=None, knots=_knots(days), date=form))
        if wanted == "date":
            raise InvalidInputError(
                f"The column {name} has no dates of one form: there is {text_of(there[0])!r}.",
                hint="Dates are read as 2026-01-31, 2026/01/31, 31.01.2026, 31/01/2026 or 01/31/2026.",
            )
    return _of_values(name, [text_of(cell) for cell in there], len(cells), wanted=wanted is not None)


def value_of(cell: Cell, column: Column, decimal: str) -> float | None:
    """Returns the number that a cell of a column of numbers or dates is; None if it is none."""
    return number_of(cell, decimal) if column.date is None else days_of(cell, column.date)


def _numbers(cells: Sequence[Cell], decimal: str) -> tuple[np.ndarray, list[str]]:
    """Returns the numbers among cells, and what is neither a number nor says that there is none."""
    numbers, odd = [], []
    for cell in cells:
        number = number_of(cell, decimal)
        if number is not None:
            numbers.append(number)
        elif not is_missing(cell, of_numbers=True):
            odd.append(text_of(cell))
    return np.array(numbers, np.float64), odd


def _of_numbers(name: str, numbers: np.ndarray, odd: list[str], *, num_missing: int, wanted: bool) -> Judged:
    distinct = np.unique(numbers)
    if len(distinct) == 1 and not num_missing and not wanted:
        return Judged(column=None, why_not="constant")
    if not wanted and not num_missing and _counts_rows(name, numbers, distinct):
        return Judged(column=None, why_not="numbers of rows")
    note = f"{name}: {some(sorted(set(odd)))} among numbers {'are' if len(set(odd)) > 1 else 'is'} read as missing"
    return Judged(column=Column(name=name, values=None, knots=_knots(numbers)), note=note if odd else None)


def _counts_rows(name: str, numbers: np.ndarray, distinct: np.ndarray) -> bool:
    """Returns whether a column counts rows: whole numbers, each there once, without large gaps, or called an id."""
    if len(distinct) < max(len(numbers), _ENOUGH_ROWS) or not (np.round(distinct) == distinct).all():
        return False
    return bool(distinct[-1] - distinct[0] < _DENSE * len(distinct)) or _is_called_id(name)


def _is_called_id(name: str) -> bool:
    return name.casefold() in {"id", "uuid", "index", "key"} or name.casefold().endswith(("_id", " id", "-id"))


def _of_values(name: str, texts: Sequence[str], num_rows: int, *, wanted: bool) -> Judged:
    counts = Counter(texts)
    if not wanted and len(counts) == 1 and len(texts) == num_rows:
        return Judged(column=None, why_not="constant")
    if not wanted and len(texts) >= _ENOUGH_ROWS and len(counts) > _DISTINCT * len(texts):
        return Judged(column=None, why_not="another value in each row")
    least = _FEW_OF_MANY if len(texts) >= _MANY else _FEW
    often = [value for value, count in counts.most_common(_MOST_VALUES) if count >= least]
    if not often:
        return Judged(column=None, why_not="no value that occurs often")
    rare = len(counts) - len(often)
    note = f"{name}: {rare} of {len(counts)} values are rare and taken for one" if rare else None
    return Judged(column=Column(name=name, values=tuple(sorted(often))), note=note)


def _knots(numbers: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(numbers, np.linspace(0, 1, _NUM_KNOTS)))
