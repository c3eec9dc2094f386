"""The eight character tasks with few, short cycles, so that an iteration takes a minute of a core or so."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from quality_tasks import Subject

import mu2net_core as m

__all__ = ["SIZES", "SMALL", "Run", "begin", "run_of"]

SIZES = {"generations": 2, "children": 2, "validations": 2}
SMALL = {"generations": 1, "children": 1, "validations": 1}
CYCLE = {"evolve.min_steps": 60, "evolve.samples_cap": 60 * 32}
"""A cycle of 60 steps on every task: the preset's has 150 to 1,200."""
BRIEF = {"evolve.min_steps": 1, "evolve.samples_cap": 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of one system: by task the test accuracy after each iteration, and the seconds that it took."""

    test: Mapping[str, Sequence[float]]
    lengths: Mapping[str, Sequence[float]]

    def mean_after(self, step: int) -> float:
        """Returns the mean test accuracy of all tasks after their iteration ``step``."""
        return statistics.mean(each[step - 1] for each in self.test.values())


def begin(folder: Path, tasks: Sequence[Subject], data: Path, is_small: bool) -> None:
    """Makes a repository with the tasks."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo = m.init(folder, preset="vit-mini") if is_small else m.init(folder)
    for key, value in (BRIEF if is_small else CYCLE).items():
        repo.set_config(key, value)
    for subject in tasks:
        repo.add_task(subject.place(data, folder.parent / "data"), m.TaskOptions(name=subject.name))


def run_of(folder: Path) -> Run:
    """Returns what the commits of a repository tell."""
    repo = m.open(folder)
    names = [task.name for task in repo.tasks()]
    logs = {name: [entry for entry in reversed([*repo.log(name)]) if entry.run is not None] for name in names}
    lengths = {name: [_took(entry) for entry in log] for name, log in logs.items()}
    return Run(test={name: [entry.test or 0.0 for entry in log] for name, log in logs.items()}, lengths=lengths)


def _took(entry: m.LogEntry) -> float:
    return (datetime.fromisoformat(entry.finished_at) - datetime.fromisoformat(entry.started_at)).total_seconds()
