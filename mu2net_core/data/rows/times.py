"""A column of dates or numbers by which rows are older or newer."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta

import numpy as np

from mu2net_core.data.rows.row import Cell, is_missing, number_of, text_of
from mu2net_core.data.tables.dates import days_of, form_of
from mu2net_core.data.wording import number
from mu2net_core.errors import DataError

__all__ = ["Times"]

_LOOKED_AT = 1_000
_DAY = 86_400


class Times:
    """The cells of such a column as numbers, taken in one by one: the form of dates is found in the first of them.

    Args:
        name: of the column.
        decimal: what stands before the fraction of numbers.
    """

    def __init__(self, name: str, decimal: str) -> None:
        self.name, self._decimal = name, decimal
        self._first: list[Cell] = []
        self._form: str | None = None
        self._is_known = False
        self._values = array("d")

    def add(self, cell: Cell) -> None:
        """Takes the next cell in.

        Raises:
            DataError: it is neither empty nor like those before.
        """
        if self._is_known:
            self._values.append(self._value(cell))
            return
        self._first.append(cell)
        if len(self._first) == _LOOKED_AT:
            self._find_form()

    def values(self) -> np.ndarray:
        """Returns float64 [N]: days from 1970, or the numbers; not a number where the cell is empty.

        Raises:
            DataError: cells are neither dates of one form nor numbers.
        """
        if not self._is_known:
            self._find_form()
        return np.frombuffer(self._values, np.float64)

    def told(self, value: float) -> str:
        """Returns a value as it stands in a sentence."""
        if self._form is None:
            return number(value)
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(value * _DAY))
        return when.date().isoformat() if value.is_integer() else when.isoformat(" ", "seconds").removesuffix("+00:00")

    def _find_form(self) -> None:
        there = [cell for cell in self._first if not is_missing(cell)]
        if any(number_of(cell, self._decimal) is None for cell in there):
            texts = [text_of(cell) for cell in there]
            self._form = form_of(texts)
            if self._form is None:
                raise self._odd(next((text for text in texts if form_of([texts[0], text]) is None), texts[0]))
        self._is_known = True
        for cell in self._first:
            self._values.append(self._value(cell))
        self._first.clear()

    def _value(self, cell: Cell) -> float:
        if is_missing(cell):
            return float("nan")
        found = number_of(cell, self._decimal) if self._form is None else days_of(cell, self._form)
        if found is None:
            raise self._odd(text_of(cell))
        return found

    def _odd(self, text: str) -> DataError:
        return DataError(
            f"Expected dates of one form, or numbers, in the column {self.name}: found {text[:80]!r}.",
            hint="Write them all as 2026-01-31, with or without a time.",
        )
