"""Columns that give the answer away: each alone tells nearly every label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mu2net_core.data.rows.row import Cell, text_of
from mu2net_core.data.tables.judging import value_of
from mu2net_core.objects import Column

__all__ = ["leaks"]

_TOO_GOOD = 0.99
_ENOUGH_ROWS, _NUM_BINS = 50, 64


def leaks(
    columns: Sequence[Column], cells: Mapping[str, Sequence[Cell]], labels: Sequence[float], decimal: str
) -> Iterator[str]:
    """Yields a sentence about each column that alone tells nearly all labels.

    Args:
        columns: those that go in.
        cells: of each column, of some rows.
        labels: of the same rows: numbers of classes (integers), or numbers.
        decimal: what stands before fractions.
    """
    truth = np.asarray(labels)
    if len(truth) < _ENOUGH_ROWS:
        return
    tell = _told_classes if truth.dtype.kind in "iu" else _told_numbers
    for column in columns:
        bins = _bins(column, cells[column.name], decimal)
        if (share := tell(bins, truth)) >= _TOO_GOOD:
            yield (
                f"{column.name} alone tells {100 * share:.1f} % of what is to be learned: if it is not known when "
                f"predictions are made, leave it out (--leave-out)"
            )


def _bins(column: Column, cells: Sequence[Cell], decimal: str) -> np.ndarray:
    if column.values is not None:
        numbers = {value: number for number, value in enumerate(column.values)}
        return np.array([-1 if cell is None else numbers.get(text_of(cell), -1) for cell in cells])
    values = [value_of(cell, column, decimal) for cell in cells]
    known = np.array([np.nan if value is None else value for value in values], np.float64)
    edges = (
        np.unique(np.nanquantile(known, np.linspace(0, 1, _NUM_BINS + 1))) if not np.isnan(known).all() else known[:1]
    )
    return np.where(np.isnan(known), -1, np.searchsorted(edges, known))


def _told_classes(bins: np.ndarray, labels: np.ndarray) -> float:
    """Returns how many more rows have the most frequent label of their bin than of all, of those that could."""
    counts = np.zeros((bins.max() + 2, labels.max() + 1))
    np.add.at(counts, (bins + 1, labels), 1)
    most = counts.sum(axis=0).max()
    alone = int((counts.sum(axis=1) == 1).sum())  # which tell nothing
    right = counts.max(axis=1).sum() - alone
    return float((right - most) / (len(labels) - most)) if most < len(labels) else 0.0


def _told_numbers(bins: np.ndarray, labels: np.ndarray) -> float:
    """Returns R² of the mean of each bin."""
    sums, counts = np.bincount(bins + 1, labels), np.bincount(bins + 1)
    means = sums / np.maximum(counts, 1)
    spread = float(((labels - labels.mean()) ** 2).sum())
    return 1 - float(((labels - means[bins + 1]) ** 2).sum()) / spread if spread > 0 else 0.0
