"""Measuring ours beside a floor: interleaved runs, medians, and one row of the table per figure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Options", "Row", "Timings", "interleave", "milliseconds", "seconds", "table", "times"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure.

    Attributes:
        folder: scratch space; its disk is the one that is measured.
        pairs: how often each thing is timed.
        small: whether to do everything on the smallest scale, to see that it runs.
    """

    folder: Path
    pairs: int
    small: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: what it is of, the floor, ours, ours relative to the floor, and what it should be."""

    case: str
    floor: str
    ours: str
    ratio: str
    bar: str


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds by name, one per round; what ran in the same round is compared."""

    seconds: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        """Returns the median over the rounds."""
        return statistics.median(self.seconds[name])

    def ratio(self, ours: str, floor: str) -> float:
        """Returns the median over the rounds of ours divided by the floor."""
        return statistics.median(a / b for a, b in zip(self.seconds[ours], self.seconds[floor], strict=True))

    def extra(self, ours: str, floor: str) -> float:
        """Returns the median over the rounds of ours minus the floor."""
        return statistics.median(a - b for a, b in zip(self.seconds[ours], self.seconds[floor], strict=True))


def interleave(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    before: Mapping[str, Callable[[], object]] | None = None,
) -> Timings:
    """Returns how long each of ``runs`` took in each round; every round begins with another one.

    Args:
        runs: by name.
        rounds: how many.
        before: by name, what to do before that run, untimed.
    """
    measured: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            (before or {}).get(name, lambda: None)()
            began = time.perf_counter()
            runs[name]()
            measured[name].append(time.perf_counter() - began)
    return Timings(measured)


def milliseconds(value: float) -> str:
    """Returns seconds as whole milliseconds."""
    return f"{1e3 * value:.0f} ms"


def seconds(value: float) -> str:
    """Returns seconds with two decimals."""
    return f"{value:.2f} s"


def times(value: float) -> str:
    """Returns a ratio."""
    return f"{value:.2f}×"


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a Markdown table."""
    cells = [("case", "floor", "ours", "ratio", "bar")]
    cells += [(row.case, row.floor, row.ours, row.ratio, row.bar) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
