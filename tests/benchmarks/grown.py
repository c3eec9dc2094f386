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
    """Returns what the commits of a repository tell; a refit is the end of its iteration."""
    repo = m.open(folder)
    test, lengths = dict[str, list[float]](), dict[str, list[float]]()
    for name in (task.name for task in repo.tasks()):
        log = list(reversed([*repo.log(name)]))
        refits = {entry.parents[0]: entry for entry in log if entry.event == "refit"}
        ended = [(entry, refits.get(entry.commit)) for entry in log if entry.run is not None]
        test[name] = [(refit or entry).test or 0.0 for entry, refit in ended]
        lengths[name] = [_took(entry) + (0.0 if refit is None else _took(refit)) for entry, refit in ended]
    return Run(test=test, lengths=lengths)


def _took(entry: m.LogEntry) -> float:
    return (datetime.fromisoformat(entry.finished_at) - datetime.fromisoformat(entry.started_at)).total_seconds()
