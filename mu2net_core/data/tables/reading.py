"""A row as a model takes it: four numbers for each column.

For a number: how far it is from the mean in units of the deviation; its rank among all, from 0 to 1; 0; and which row
of the model's table says that the cell is empty. For a value: 0, 0, its row of that table; and the row of values that
are not known. For no column at all: 0, 0, -1, -1. Rows of the table begin with 1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mu2net_core.data.rows.row import Cell, cells_of, is_missing, text_of
from mu2net_core.data.source import Stored
from mu2net_core.data.tables.judging import value_of
from mu2net_core.errors import DataError
from mu2net_core.objects import Column, Table

__all__ = ["NUM_FEATURES", "row_reader"]

NUM_FEATURES = 4
_FAR = 6.0
"""Deviations from the mean beyond which numbers are all the same."""

_Cells = Callable[[Cell], tuple[float, float, float, float]]


def row_reader(table: Table, slots: int, decimal: str) -> Callable[[Stored], np.ndarray]:
    """Returns what makes float32 [``slots``, 4] of rows.

    Args:
        table: the columns, no more than ``slots``.
        slots: columns that the model has room for.
        decimal: what stands before fractions.

    Raises:
        DataError: there are more columns.
    """
    if len(table.columns) > slots:
        raise DataError(f"The model has room for {slots} columns, and the task has {len(table.columns)}.")
    ways, first = list[tuple[str, _Cells]](), 1
    for column in table.columns:
        way = _of_number(column, first, decimal) if column.values is None else _of_values(column.values, first)
        ways.append((column.name, way))
        first += 2 + len(column.values or ())
    empty = np.zeros((slots, NUM_FEATURES), np.float32)
    empty[len(ways) :, 2:] = -1

    def read(stored: Stored) -> np.ndarray:
        cells, ready = cells_of(stored), empty.copy()
        ready[: len(ways)] = [way(cells.get(name)) for name, way in ways]
        return ready

    return read


def _of_values(values: Sequence[str], first: int) -> _Cells:
    """Rows of the table: ``first`` for no value, the next for values that are not known, then the values."""
    places = {value: float(first + 2 + number) for number, value in enumerate(values)}
    missing, unknown = float(first), float(first + 1)

    def read(cell: Cell) -> tuple[float, float, float, float]:
        place = missing if is_missing(cell) else places.get(text_of(cell), unknown)
        return 0.0, 0.0, place, unknown

    return read


@dataclass(frozen=True, slots=True)
class _Scale:
    mean: float
    deviation: float
    places: tuple[float, ...]
    ranks: tuple[float, ...]


def _scale(knots: Sequence[float]) -> _Scale:
    """Returns mean and deviation of numbers with such quantiles, and the rank of each different one."""
    values = np.asarray(knots or (0.0, 1.0), np.float64)
    weights = np.ones(len(values))
    weights[[0, -1]] = 0.5
    mean = float(np.average(values, weights=weights))
    deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
    places, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.bincount(inverse, np.linspace(0, 1, len(values))) / counts
    return _Scale(mean, deviation if deviation > 0 else 1.0, tuple(places.tolist()), tuple(ranks.tolist()))


def _of_number(column: Column, first: int, decimal: str) -> _Cells:
    scale, missing = _scale(column.knots), float(first)

    def read(cell: Cell) -> tuple[float, float, float, float]:
        number = value_of(cell, column, decimal)
        if number is None:
            return 0.0, 0.0, missing, missing
        standard = (number - scale.mean) / scale.deviation
        return max(-_FAR, min(_FAR, standard)), _rank(number, scale), 0.0, missing

    return read


def _rank(number: float, scale: _Scale) -> float:
    places, ranks = scale.places, scale.ranks
    after = bisect_right(places, number)
    if after == 0 or after == len(places):
        return ranks[0] if after == 0 else ranks[-1]
    share = (number - places[after - 1]) / (places[after] - places[after - 1])
    return ranks[after - 1] + share * (ranks[after] - ranks[after - 1])
