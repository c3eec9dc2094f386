"""Measuring ours beside a floor: interleaved runs, medians, and one row of the table per figure."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

__all__ = [
    "Options",
    "Row",
    "Spent",
    "Timings",
    "apart",
    "interleave",
    "interleave_spent",
    "megabytes",
    "milliseconds",
    "python_path",
    "real_data",
    "seconds",
    "spent",
    "spread",
    "table",
    "times",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure.

    Attributes:
        folder: scratch space; its disk is the one that is measured.
        pairs: how often each thing is timed.
        small: whether to do everything on the smallest scale, to see that it runs.
        kinds: whether quality is that of other kinds of data than images.
        minutes: that chaos lasts.
        agents: that it comes to.
        seed: of what is done to them.
    """

    folder: Path
    pairs: int
    small: bool
    kinds: bool = False
    minutes: float = 20.0
    agents: int = 8
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: what it is of, the floor, ours, ours relative to the floor, and what it should be."""

    case: str
    floor: str
    ours: str
    ratio: str
    bar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a piece of work took in its process, and what it came to.

    Attributes:
        wall_s: from its begin to its end.
        cpu_s: of all threads.
        peak_mb: the most memory the process had in that time, its libraries included.
        result: of the work.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    result: Any = None


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
    for name in _turns(list(runs), rounds):
        (before or {}).get(name, lambda: None)()
        began = time.perf_counter()
        runs[name]()
        measured[name].append(time.perf_counter() - began)
    return Timings(measured)


def interleave_spent(runs: Mapping[str, Callable[[], Spent]], rounds: int) -> dict[str, list[Spent]]:
    """Returns what each of ``runs`` says it spent in each round; every round begins with another one."""
    measured: dict[str, list[Spent]] = {name: [] for name in runs}
    for name in _turns(list(runs), rounds):
        measured[name].append(runs[name]())
    return measured


def spent(work: Callable[[], Any]) -> Spent:
    """Returns what ``work`` took and came to."""
    _forget_peak()
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    return Spent(wall_s=time.perf_counter() - began, cpu_s=time.process_time() - cpu, peak_mb=_peak_mb(), result=result)


def apart(function: Callable[..., Any], *args: Any, inline: bool = False) -> Any:
    """Returns what a module's ``function`` returns in a new process of its own, or in this one if ``inline``."""
    if inline:
        result = function(*args)
        _forget_cache()
        return result
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def real_data() -> Path | None:
    """Returns the folder of prepared data sets, None where there is none."""
    folder = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve() / "tfds"
    return folder if folder.is_dir() else None


def python_path() -> str:
    """Returns the ``PYTHONPATH`` of other processes: this code, and what is on this one's."""
    return os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])


def _turns(names: list[str], rounds: int) -> Iterator[str]:
    for number in range(rounds):
        turn = number % len(names)
        yield from names[turn:] + names[:turn]


def _forget_cache() -> None:
    """Makes JAX write nothing into the scratch folder any more."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()


def _forget_peak() -> None:
    """Makes the kernel begin anew with the most memory this process had."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    """Returns the most memory this process had; what ``getrusage`` says may be that of the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def milliseconds(value: float) -> str:
    """Returns seconds as whole milliseconds."""
    return f"{1e3 * value:.0f} ms"


def seconds(value: float) -> str:
    """Returns seconds with two decimals."""
    return f"{value:.2f} s"


def megabytes(value: float) -> str:
    """Returns megabytes, whole."""
    return f"{value:,.0f} MB"


def times(value: float) -> str:
    """Returns a ratio."""
    return f"{value:.2f}×"


def spread(values: Sequence[float]) -> str:
    """Returns mean and sample standard deviation."""
    around = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{around}"


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a Markdown table."""
    cells = [("case", "floor", "ours", "ratio", "bar")]
    cells += [(row.case, row.floor, row.ours, row.ratio, row.bar) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
