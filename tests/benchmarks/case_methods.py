"""What the search methods come to at equal budget: as many children of as many steps, beside evolution.

Per task, seed and method a repository of its own, with one iteration: 4 generations of 4 children, each trained for
``STEPS`` steps twice. The test split is looked at once, at the end, and decides nothing.
``MU2NET_METHODS_TASKS`` and ``MU2NET_METHODS`` choose others by name, ``MU2NET_METHODS_STEPS`` how many steps.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import Options, Row, Spent, apart, spent, spread
from quality_tables import SUBJECTS as TABLES
from quality_tables import options_of, prepared
from quality_tasks import SUBJECTS

import mu2net_core as m

TASKS = ("digits", "emnist", "wine")
FLOOR, OTHERS = "mu2net-plus", ("random", "tpe")
SIZES = {"generations": 4, "children": 4, "validations": 2}
SMALL = {"generations": 1, "children": 1, "validations": 1}
STEPS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a method came to with one seed: qualities of the model, and processor seconds."""

    validation: float
    test: float
    cpu_s: float


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    few = options.small or not data.is_dir()
    names = os.environ.get("MU2NET_METHODS_TASKS", "digits" if few else " ".join(TASKS)).split()
    others = os.environ.get("MU2NET_METHODS", "tpe" if options.small else " ".join(OTHERS)).split()
    rows: list[Row] = []
    for name in names:
        uri, asked = _task(name, data, options.folder)
        found: dict[str, list[Found]] = {method: [] for method in (FLOOR, *others)}
        for seed in range(options.pairs):
            for method, known in found.items():
                folder = options.folder / f"{name}-{method}-{seed}"
                known.append(
                    apart(came_to, folder, uri, asked, data, method, seed, options.small, inline=options.small)
                )
                print(f"{name}, {method}, seed {seed}: {known[-1]}", file=sys.stderr, flush=True)
        rows += [_row(name, method, found) for method in others]
    return rows


def _task(name: str, data: Path, folder: Path) -> tuple[str, m.TaskOptions]:
    """Returns where the data of a task lies, and how it is added."""
    table = next((one for one in TABLES if one.name == name), None)
    if table is not None:
        return str(prepared(table, data / "tabular", folder)), options_of(table.target)
    (subject,) = (one for one in SUBJECTS if one.name == name)
    return subject.place(data, folder), m.TaskOptions(name="task")


def came_to(folder: Path, uri: str, asked: m.TaskOptions, data: Path, method: str, seed: int, small: bool) -> Found:
    """Returns what an iteration with a method came to in a new repository."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo = m.init(folder, **({"preset": "vit-mini"} if small else {}))
    repo.add_task(uri, asked)
    steps = 1 if small else int(os.environ.get("MU2NET_METHODS_STEPS", STEPS))
    repo.set_config("evolve.min_steps", steps)
    repo.set_config("evolve.samples_cap", (64 if asked.target else 32) * steps)  # batches of tables have 64 rows
    done: Spent = spent(lambda: repo.evolve(seed=seed, method=method, **(SMALL if small else SIZES)))
    (iteration,) = done.result.iterations
    return Found(validation=iteration.validation, test=iteration.test, cpu_s=done.cpu_s)


def _row(task: str, method: str, found: Mapping[str, Sequence[Found]]) -> Row:
    floor, ours = found[FLOOR], found[method]
    gap = 100 * statistics.mean(a.test - b.test for a, b in zip(ours, floor, strict=True))
    return Row(
        case=f"{method} on {task}, {len(ours)} seed{'s' * (len(ours) > 1)}",
        floor=f"{FLOOR}: {_told(floor)}",
        ours=_told(ours),
        ratio=f"{gap:+.1f} points",
        bar="told",
    )


def _told(found: Sequence[Found]) -> str:
    test, validation = spread([one.test for one in found]), spread([one.validation for one in found])
    return f"test {test}, validation {validation}, {statistics.mean(one.cpu_s for one in found):.0f} s"
