"""The papers' experiment: a task after the other, each with what the others found, against all of them in step.

Eight character tasks with the preset ``auto`` and few, short cycles, so that an iteration takes a minute of a core or
so. *In sequence* an agent improves one task after the other, and each begins from the newest models of all. *In step*
(``evolve --barrier``) iteration n of every task begins from what all had after iteration n - 1, whoever runs it: one
process with one core makes here what eight agents would. Both have the same tasks, sizes and seed; each round has
another one. Test accuracy is that which each commit says: nobody chose by it.

How long more agents take follows from the lengths of the iterations in sequence (``fleet.py``, which the case ``fleet``
holds against two real agents). Nothing else should run, and everything should be compiled: ``MU2NET_CACHE_DIR`` may
name where programs are kept.

``MU2NET_PARALLEL_TASKS`` chooses tasks by name, ``MU2NET_PARALLEL_STEPS`` how many iterations each has,
``MU2NET_PARALLEL_KEEP`` is a folder where the systems are kept, which are not made twice.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fleet import alone_s, finished_s, free_s, in_step_s
from grown import SIZES, SMALL, Run, begin, run_of
from measure import Options, Row, apart, seconds, spread, times
from quality_tasks import CHARACTERS, SUBJECTS, Subject

import mu2net_core as m

FLEET = 8


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    is_small = options.small or not data.is_dir()
    steps = int(os.environ.get("MU2NET_PARALLEL_STEPS", "1" if is_small else "5"))
    tasks = _subjects(is_small)
    make = partial(_made, options, tasks, data, steps, is_small=is_small)
    sequence, step = zip(*((make("sequence", seed), make("step", seed)) for seed in range(options.pairs)), strict=True)
    rows = [_quality_row(after, sequence, step) for after in sorted({1, (steps + 1) // 2, steps})]
    rows += _speed_rows(sequence)
    return rows


def _subjects(is_small: bool) -> Sequence[Subject]:
    if is_small:
        return tuple(subject for subject in SUBJECTS if subject.name == "digits")
    asked = os.environ.get("MU2NET_PARALLEL_TASKS", "").split()
    return tuple(subject for subject in CHARACTERS if not asked or subject.name in asked)


def _made(
    options: Options, tasks: Sequence[Subject], data: Path, steps: int, how: str, seed: int, *, is_small: bool
) -> Run:
    kept = Path(os.environ.get("MU2NET_PARALLEL_KEEP", options.folder)) / f"{how}-{seed}-{steps}"
    if not kept.exists():
        making = options.folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        apart(begin, making, tasks, data, is_small, inline=is_small)
        apart(grow, making, data, steps, how, seed, is_small, inline=is_small)
        shutil.move(making, kept)
    run = run_of(kept)
    print(f"{how}, seed {seed}: {run}", file=sys.stderr, flush=True)
    return run


def grow(folder: Path, data: Path, steps: int, how: str, seed: int, is_small: bool) -> None:
    """Improves all tasks ``steps`` times, in sequence or in step."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo, sizes = m.open(folder), SMALL if is_small else SIZES
    if how == "step":
        repo.evolve(iterations=steps, seed=seed, barrier=True, **sizes)
    else:
        for _ in range(steps):
            repo.evolve(iterations=1, seed=seed, **sizes)


def _quality_row(after: int, sequence: Sequence[Run], step: Sequence[Run]) -> Row:
    before, ours = [[run.mean_after(after) for run in runs] for runs in (sequence, step)]
    gaps = [100 * (b - a) for a, b in zip(before, ours, strict=True)]
    return Row(
        case=f"mean test accuracy after {after}, {len(sequence[0].test)} tasks",
        floor=f"in sequence {spread(before)}",
        ours=f"in step {spread(ours)}",
        ratio=f"{statistics.mean(gaps):+.1f} points",
        bar="-",
    )


def _speed_rows(runs: Sequence[Run]) -> list[Row]:
    """Returns how long eight agents take for what one does, and what they get done in as long as in step."""
    alone = [alone_s(run.lengths) for run in runs]
    step = [in_step_s(run.lengths, FLEET) for run in runs]
    free = [free_s(run.lengths, FLEET) for run in runs]
    done = [finished_s(run.lengths, FLEET, seconds_) for run, seconds_ in zip(runs, step, strict=True)]
    return [
        _speed_row("in step, all iterations", alone, step, "papers 6.64×"),
        _speed_row("waiting for nobody, all iterations", alone, free, "-"),
        _speed_row("waiting for nobody, as long as that", done, step, "≥ 7.2×"),
    ]


def _speed_row(how: str, alone: Sequence[float], ours: Sequence[float], bar: str) -> Row:
    ratio = statistics.mean(a / b for a, b in zip(alone, ours, strict=True))
    return Row(
        case=f"{FLEET} agents {how}, replayed",
        floor=f"1 agent: {seconds(statistics.mean(alone))}",
        ours=seconds(statistics.mean(ours)),
        ratio=f"{times(ratio)} speed-up",
        bar=bar,
    )
