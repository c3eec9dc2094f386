"""The share of its time in which an agent's device computes, once all programs are compiled.

Counted is the time in which at least one compiled program runs: from its call until what it returns is there, which a
thread waits for, so that the agent goes on beside it as it always does. It is held against the time from its
begin to its end of a whole iteration with the defaults of ``auto``, the second one of its task: data are read, parents
chosen, children built, validated, stored and committed in it. The same one ran before, in a copy, so that everything
is compiled.

``MU2NET_BUSY_TASKS`` chooses tasks by name. With one core the device and everything else share it: then what is not
computing is all that the agent does itself.
"""

from __future__ import annotations

import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import jax
from grown import SMALL
from measure import Options, Row, Spent, apart, seconds, spent
from quality_tasks import SUBJECTS, Subject

import mu2net_core as m
from mu2net_core.engine.cache import ProgramCache

TASKS = ("digits", "emnist", "omniglot", "clothing")


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    is_small = options.small or not data.is_dir()
    asked = ("digits",) if is_small else os.environ.get("MU2NET_BUSY_TASKS", " ".join(TASKS)).split()
    return [_row(options, subject, data, is_small) for subject in SUBJECTS if subject.name in asked]


def _row(options: Options, subject: Subject, data: Path, is_small: bool) -> Row:
    first, work = options.folder / f"{subject.name}-first", options.folder / subject.name
    apart(begin, first, subject, data, is_small, inline=is_small)
    runs = list[Spent]()
    for _ in range(1 if is_small else 2):  # the first compiles
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(first, work)
        runs.append(apart(watched, work, data, is_small, inline=is_small))
    busy_s, wall_s = runs[-1].result
    return Row(
        case=f"device busy, an iteration of {subject.name}",
        floor=f"wall {seconds(wall_s)}",
        ours=f"in programs {seconds(busy_s)}; processor {seconds(runs[-1].cpu_s)}",
        ratio=f"{100 * busy_s / wall_s:.1f} %",
        bar="≥ 95 %",
    )


def begin(folder: Path, subject: Subject, data: Path, is_small: bool) -> None:
    """Makes a repository whose task had one small iteration."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo = m.init(folder, preset="vit-mini") if is_small else m.init(folder)
    repo.add_task(subject.place(data, folder.parent / "data"), m.TaskOptions(name=subject.name))
    repo.evolve(iterations=1, seed=0, **SMALL)


def watched(folder: Path, data: Path, is_small: bool) -> Spent:
    """Returns what an iteration spent; the seconds in which a program ran, and those from its begin to its end."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo, events = m.open(folder), list[float]()

    def note(event: m.Event) -> None:
        if isinstance(event, m.IterationStarted | m.IterationFinished):
            events.append(time.perf_counter())

    with timed() as ran:
        found = spent(lambda: repo.evolve(iterations=1, seed=1, on_event=note, **(SMALL if is_small else {})))
    begins, ends = events[0], events[-1]
    inside = [(max(a, begins), min(b, ends)) for a, b in ran]
    return Spent(wall_s=found.wall_s, cpu_s=found.cpu_s, peak_mb=found.peak_mb, result=(covered(inside), ends - begins))


@contextmanager
def timed() -> Iterator[list[tuple[float, float]]]:
    """Yields a list that gets the begin and the end of each call of a compiled program while the block runs."""
    ran, pending = list[tuple[float, float]](), queue.SimpleQueue[tuple[float, Any] | None]()
    find = ProgramCache.compiled

    def compiled(self: ProgramCache, *args: Any, **options: Any) -> Callable[..., Any]:
        program = find(self, *args, **options)

        def run(*given: Any) -> Any:
            began = time.perf_counter()
            made = program(*given)
            pending.put((began, jax.tree.leaves(made)[-1]))  # the last is never given to a program that consumes it
            return made

        run.out_info = program.out_info  # type: ignore[attr-defined]
        return run

    def wait() -> None:
        while (one := pending.get()) is not None:
            one[1].block_until_ready()
            ran.append((one[0], time.perf_counter()))

    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        with mock.patch.object(ProgramCache, "compiled", compiled):
            yield ran
    finally:
        pending.put(None)
        waiting.join()


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Returns the length of what at least one of the spans covers."""
    total, reached = 0.0, float("-inf")
    for begin_, end in sorted(spans):
        total += max(end - max(begin_, reached), 0.0)
        reached = max(reached, end)
    return total
