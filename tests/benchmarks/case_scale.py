"""Everyday commands on repositories of 1,000 to 10,000 models: nothing may grow faster than the repository.

Each command runs in a process of its own, on repositories of 100, 300 and 1,000 tasks with ten models each, whose
components are tiny, so that what is measured is the book-keeping. Growth is the exponent that leads from the smallest
to the largest, without what starting the program costs: 1 is linear.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from statistics import median
from time import perf_counter
from unittest.mock import patch

from case_startup import environment
from measure import Options, Row, seconds

from mu2net_cli.main import run as run_here
from mu2net_cli.parsing.verbs import VERBS
from mu2net_core.repo import open_repository
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.building.scale import make_large_repository
from mu2net_core.testing.servers.wrappers import DistantStore, Watched

SIZES, ITERATIONS = (100, 300, 1_000), 10
SMALL_SIZES, SMALL_ITERATIONS = (2, 4), 2
LOOKING = {
    "log, the first time": ("log", "--oneline"),
    "status": ("status",),
    "log": ("log", "--oneline"),
    "log -n 20": ("log", "-n", "20"),
    "tasks": ("tasks",),
    "leaderboard": ("leaderboard",),
    "contributors, the first time": ("contributors",),
    "contributors": ("contributors",),
    "fsck": ("fsck",),
    "gc --dry-run": ("gc", "--dry-run"),
}
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ONCE = {"log, the first time", "contributors, the first time", "fsck", "gc --dry-run"}
BAR = "≤ n^1.1"
PROGRAM = """
import sys
from mu2net_cli.main import main
code = main()
with open("/proc/self/status") as file:
    print(next(line.split()[1] for line in file if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""  # the kernel's own maximum would be that of the process that started this one


@dataclass(frozen=True, slots=True)
class Run:
    """How long a process took, and the most memory it had, in MB."""

    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured on one repository: runs by command, requests of pushes by when, and bytes on the disk."""

    runs: dict[str, Run]
    requests: dict[str, Counter[str]]
    megabytes: float


def measure(options: Options) -> list[Row]:
    sizes, iterations = (SMALL_SIZES, SMALL_ITERATIONS) if options.small else (SIZES, ITERATIONS)
    program = Program(environment(options.folder), inline=options.small)
    Program(environment(options.folder))("--version", folder=options.folder)  # writes the byte code
    start = median(program("--version", folder=options.folder).seconds for _ in range(options.pairs))
    systems = {
        size: measure_system(options.folder / str(size), size, iterations, program, options.pairs) for size in sizes
    }
    return [*_rows(systems, iterations, start), *_request_rows(systems), _size_row(systems, iterations)]


class Program:
    """Runs the command line, each time in a new process, or in this one if ``inline``."""

    def __init__(self, environ: dict[str, str], *, inline: bool = False) -> None:
        self._environ, self._inline = environ, inline

    def __call__(self, *args: str, folder: Path) -> Run:
        """Returns what one command line took; it must succeed."""
        began = perf_counter()
        if self._inline:
            with chdir(folder), patch.dict(os.environ, self._environ), redirect_stdout(StringIO()):
                run_here(args)
            return Run(perf_counter() - began, megabytes=0.0)
        command = [sys.executable, "-c", PROGRAM, *args]
        done = subprocess.run(command, cwd=folder, env=self._environ, capture_output=True, text=True, check=False)
        took = perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"mu2net {' '.join(args)}: {done.stderr}")
        return Run(took, int(done.stderr.split()[-1]) / 1024)


def measure_system(folder: Path, num_tasks: int, num_iterations: int, program: Program, rounds: int) -> Measured:
    """Makes a system and a partial and a full clone of it, looks at them, and moves one change between them."""
    shared, work, full = (folder / name for name in ("shared", "work", "full"))
    make_large_repository(shared, num_tasks=num_tasks, num_iterations=num_iterations)
    runs = {
        "clone": program("clone", str(shared), str(work), folder=folder),
        "clone --full": program("clone", "--full", str(shared), str(full), folder=folder),
    }
    for name, args in LOOKING.items():
        if args[0] in VERBS:
            runs[name] = repeat(lambda args=args: program(*args, folder=full), 1 if name in ONCE else rounds)
    task = change(work, 1)
    runs["push of one change"] = program("push", folder=work)
    runs["push of nothing"] = program("push", folder=work)
    runs["pull of one change"] = program("pull", folder=full)
    runs["pull of one task"] = program("pull", "origin", task, folder=full)
    return Measured(runs=runs, requests=count_requests(work), megabytes=disk_megabytes(shared))


def repeat(run: Callable[[], Run], rounds: int) -> Run:
    """Returns the median time and the most memory of several runs."""
    found = [run() for _ in range(rounds)]
    return Run(median(one.seconds for one in found), max(one.megabytes for one in found))


def change(work: Path, number: int) -> str:
    """Retains one more model of the first task, whose head is its only new component; returns the task."""
    repo = open_repository(work)
    task = repo.refs.tasks()[0]
    evolve_sample(repo, task, score=0.9, seed=1_000_000 + number)
    return task


def count_requests(work: Path) -> dict[str, Counter[str]]:
    """Returns what a push of one change with one new component asks of the remote, right after another and later."""
    push_change(work, 2, seconds=0)
    return {"": push_change(work, 3, seconds=0), ", 31 s later": push_change(work, 4, seconds=31)}


def push_change(work: Path, number: int, seconds: float) -> Counter[str]:
    """Pushes one change so many ``seconds`` after noon; returns the requests by method."""
    change(work, number)
    repo, now, watched = open_repository(work), _NOON + timedelta(seconds=seconds), Watched(DistantStore)
    push(repo, repo.config.remotes["origin"], open_store=watched, clock=lambda: now)
    return watched.calls


def disk_megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def exponent(small: float, large: float, factor: float) -> str:
    """Returns how ``large`` grew from ``small`` while the system grew by ``factor``."""
    if small <= 0.01 or large <= 0.01:
        return "-"
    return f"n^{math.log(large / small) / math.log(factor):.2f}"


def _rows(systems: dict[int, Measured], iterations: int, start: float) -> list[Row]:
    sizes, largest = list(systems), max(systems)
    factor = largest / sizes[0]
    rows = []
    for name in systems[largest].runs:
        runs = [systems[size].runs[name] for size in sizes]
        rows.append(
            Row(
                case=f"{name}, {largest:,} tasks, {largest * iterations:,} models",
                floor=", ".join(
                    f"{size} tasks: {seconds(run.seconds)}, {run.megabytes:.0f} MB"
                    for size, run in zip(sizes[:-1], runs[:-1], strict=True)
                ),
                ours=f"{seconds(runs[-1].seconds)}, {runs[-1].megabytes:.0f} MB",
                ratio=exponent(runs[0].seconds - start, runs[-1].seconds - start, factor),
                bar=BAR,
            )
        )
    return rows


def _request_rows(systems: dict[int, Measured]) -> list[Row]:
    *smaller, largest = systems
    return [
        Row(
            case=f"requests of a push, k = 1, {largest:,} tasks{later}",
            floor=", ".join(f"{size} tasks: {systems[size].requests[later].total()}" for size in smaller),
            ours=f"{calls.total()} ({', '.join(f'{number} {method}' for method, number in sorted(calls.items()))})",
            ratio=f"k + {calls.total() - 1}",
            bar="the same",
        )
        for later, calls in systems[largest].requests.items()
    ]


def _size_row(systems: dict[int, Measured], iterations: int) -> Row:
    *smaller, largest = systems
    megabytes = [systems[size].megabytes for size in systems]
    return Row(
        case=f"bytes of the repository, {largest:,} tasks, {largest * iterations:,} models",
        floor=", ".join(f"{size} tasks: {systems[size].megabytes:.0f} MB" for size in smaller),
        ours=f"{megabytes[-1]:.0f} MB",
        ratio=exponent(megabytes[0], megabytes[-1], largest / smaller[0]),
        bar=BAR,
    )
