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
from quality_tasks import SUBJECTS

import mu2net_core as m

TASKS = ("az", "kannada", "fashion")
FLOOR, OTHERS = "mu2net-plus", ("random", "tpe")
SIZES = {"generations": 4, "children": 4, "validations": 2}
SMALL = {"generations": 1, "children": 1, "validations": 1}
STEPS = 50


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
    for subject in (one for one in SUBJECTS if one.name in names):
        uri = subject.place(data, options.folder)
        found: dict[str, list[Found]] = {method: [] for method in (FLOOR, *others)}
        for seed in range(options.pairs):
            for method, known in found.items():
                folder = options.folder / f"{subject.name}-{method}-{seed}"
                known.append(apart(came_to, folder, uri, data, method, seed, options.small, inline=options.small))
                print(f"{subject.name}, {method}, seed {seed}: {known[-1]}", file=sys.stderr, flush=True)
        rows += [_row(subject.name, method, found) for method in others]
    return rows


def came_to(folder: Path, uri: str, data: Path, method: str, seed: int, small: bool) -> Found:
    """Returns what an iteration with a method came to in a new repository."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo = m.init(folder, **({"preset": "vit-mini"} if small else {}), seed=0)
    repo.add_task(uri, m.TaskOptions(name="task"))
    steps = 1 if small else int(os.environ.get("MU2NET_METHODS_STEPS", STEPS))
    repo.set_config("evolve.min_steps", steps)
    repo.set_config("evolve.samples_cap", 32 * steps)
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
