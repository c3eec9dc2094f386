"""Which rows train, validate and test where each has several labels: every label gives its share to every split.

From the rarest label on, the rows that have it and are in no split yet fill up what the splits still need of it
(iterative stratification; Sechidis et al., 2011). A label of one row is there to be learned, the second row of one
validates, the third tests, before shares count.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["parted_by_labels"]


def parted_by_labels(
    rows: np.ndarray, bits: np.ndarray, num_labels: int, shares: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Returns the rows of each of ``shares``, and of train, which gets the rest; each in the order of ``rows``.

    Args:
        rows: numbers of rows in a fair order.
        bits: uint8 [N, ceil(K / 8)], the labels of these rows.
        num_labels: K.
        shares: how many rows of each other split.
    """
    names = ("train", *shares)
    parts = np.array([max(len(rows) - sum(shares.values()), 0), *shares.values()], np.float64) / max(len(rows), 1)
    own = np.full(len(rows), -1, np.int64)
    counts = [int(np.count_nonzero(_having(bits, label))) for label in range(num_labels)]
    for label in sorted(range(num_labels), key=lambda one: counts[one]):
        having = _having(bits, label)
        free = np.flatnonzero(having & (own < 0))
        given = np.bincount(own[having & (own >= 0)], minlength=len(names))
        own[free] = _filled(_wanted(counts[label], parts, names) - given, parts, len(free))
    rest = np.flatnonzero(own < 0)
    given = np.bincount(own[own >= 0], minlength=len(names))
    own[rest] = _filled(parts * len(rows) - given, parts, len(rest))
    return {name: rows[own == place] for place, name in enumerate(names)}


def _having(bits: np.ndarray, label: int) -> np.ndarray:
    """Returns bool [N], which rows have a label."""
    return np.asarray(bits[:, label // 8] & (128 >> label % 8), bool)


def _wanted(count: int, parts: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Returns how many of a label's rows each split should have: its share, but one, where there are so many."""
    wanted = parts * count
    order = [names.index(name) for name in ("train", "validation", "test") if name in names]
    wanted[order[:count]] = np.maximum(wanted[order[:count]], 1)
    return wanted


def _filled(needs: np.ndarray, parts: np.ndarray, count: int) -> np.ndarray:
    """Returns int64 [count], the splits of so many rows, mixed evenly, such that what is needed is met in the end."""
    sizes = _sizes(np.maximum(needs, 0), parts, count)
    whole = np.repeat(np.arange(len(sizes)), sizes)
    turns = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes if size]) if count else np.empty(0)
    return np.asarray(whole[np.argsort(turns, kind="stable")])


def _sizes(needs: np.ndarray, parts: np.ndarray, count: int) -> np.ndarray:
    """Returns int64 [S] that sum to ``count``, in the ratio of what is needed, or of the shares where nothing is."""
    weights = needs if needs.sum() > 0 else parts
    exact = weights * count / weights.sum()
    sizes: np.ndarray = np.floor(exact).astype(np.int64)
    for place in np.argsort(-(exact - sizes), kind="stable")[: count - int(sizes.sum())]:
        sizes[place] += 1
    return sizes
