"""Which rows of a file train, validate and test.

In an order that hangs on nothing but how many rows there are, each class gives its share to every split (numbers:
every part of their range does), and so does no class that has a single row. Where rows belong to groups (the same
patient), all of a group go into one split; where they have a time, the newest test. What is no more than that is the
rows of a column's values, or of files called as splits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["fair_rows", "grouped", "parted", "shares_of", "timed"]

_ORDERED_ALONE = 2**20
"""Of more rows, neighbours stay together in the order, so that they are read together."""

_TEST, _ENOUGH, _LEAST, _MOST = 0.2, 500, 0.05, 0.2


def fair_rows(count: int) -> np.ndarray:
    """Returns uint32 [count], the numbers of all rows in a pseudo-random order, the same everywhere."""
    block = 1
    while count > block * _ORDERED_ALONE:
        block *= 2
    order = _shuffled(-(-count // block)).astype(np.uint32)
    if block == 1:
        return order
    rows = (order[:, None] * np.uint32(block) + np.arange(block, dtype=np.uint32)).reshape(-1)
    return rows[rows < count]


def _shuffled(count: int) -> np.ndarray:
    """Returns the numbers below ``count`` in the order of their hashes (splitmix64; Steele et al., 2014)."""
    with np.errstate(over="ignore"):
        mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")


def shares_of(count: int, *, missing: tuple[str, ...]) -> dict[str, int]:
    """Returns how many of ``count`` rows go to each of the splits that are missing besides train.

    20 % test; so many validate that accuracies a point apart can be told apart: 500, but 5 % to 20 %.
    """
    validation = round(min(max(_ENOUGH, _LEAST * count), _MOST * count))
    wanted = {"validation": max(1, validation), "test": max(1, round(_TEST * count))}
    return {name: wanted[name] for name in missing}


def parted(rows: np.ndarray, labels: np.ndarray, shares: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Returns the rows of each of ``shares``, and of train, which gets the rest; each in the order of ``rows``.

    Args:
        rows: numbers of rows in a fair order.
        labels: of all rows of the file: classes, or numbers.
        shares: how many rows of each other split.
    """
    own = labels[rows]
    order, free = np.argsort(own, kind="stable").astype(np.uint32), np.ones(len(rows), bool)
    if own.dtype.kind in "iu":
        found, counts = np.unique(own, return_counts=True)
        free[np.isin(own, found[counts < 2])] = False  # a class of one row is there to be learned
    parts, rest = dict[str, np.ndarray](), np.ones(len(rows), bool)
    for split, count in shares.items():
        places = order[free[order]]
        chosen = np.sort(places[_every(len(places), min(count, len(places) - 1))])
        parts[split] = rows[chosen]
        free[chosen] = rest[chosen] = False
    return {"train": rows[rest], **parts}


def _every(count: int, wanted: int) -> np.ndarray:
    """Returns ``wanted`` of the places below ``count``, as far apart from each other as can be."""
    if wanted <= 0:
        return np.empty(0, np.int64)
    return (np.arange(wanted, dtype=np.int64) * 2 + 1) * count // (2 * wanted)


def grouped(rows: np.ndarray, groups: np.ndarray, shares: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Returns likewise, with all rows of a group in one split: about as many rows as are wanted.

    Args:
        rows: numbers of rows in a fair order.
        groups: the number of each row's group, of all rows of the file.
        shares: how many rows of each other split.
    """
    own = groups[rows]
    found, inverse, counts = np.unique(own, return_inverse=True, return_counts=True)
    order = _shuffled(len(found))
    split_of, at = np.full(len(found), "train", object), 0
    for split, wanted in shares.items():
        size = 0
        while at < len(order) - 1 and (size == 0 or size + counts[order[at]] <= wanted):
            split_of[order[at]] = split
            size, at = size + counts[order[at]], at + 1
    names = split_of[inverse]
    return {split: rows[names == split] for split in ("train", *shares)}


def timed(rows: np.ndarray, times: np.ndarray, shares: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Returns likewise: the newest rows test, those before validate, and the rest, and rows without a time, train.

    Rows of one time are in one split, so there are about as many as are wanted, and none where no time is left.

    Args:
        rows: numbers of rows in a fair order.
        times: of all rows of the file; not a number where there is none.
        shares: how many rows of each other split.
    """
    own = times[rows]
    rest, parts = np.ones(len(rows), bool), dict[str, np.ndarray]()
    for split in (name for name in ("test", "validation") if name in shares):
        since = _since(own[rest & ~np.isnan(own)], shares[split])
        newest = rest & (own >= since)
        parts[split] = rows[newest]
        rest &= ~newest
    return {"train": rows[rest], **parts}


def _since(times: np.ndarray, wanted: int) -> float:
    """Returns from when on there are about ``wanted`` times; infinity where all are the same."""
    found, counts = np.unique(times, return_counts=True)
    newer = np.cumsum(counts[::-1])[::-1]  # as many from each time on
    if len(found) < 2:
        return float("inf")
    return float(found[1:][np.argmin(np.abs(newer[1:] - wanted))])
