"""What a user gets from one iteration with defaults, against what the same processor time buys without mu2net.

Per task: an RBF SVM on pixels, the plain recipe of ``floor_recipe`` for as much processor time as the iteration took,
and ours. All see the same training examples, but for the SVM, which gets the first ``LARGEST_SVM``; the test split is
looked at once, at the end. Each round has another seed.
``MU2NET_QUALITY`` chooses tasks by name, ``MU2NET_QUALITY_PRESET`` another preset than the default.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from floor_recipe import accuracy_of_recipe
from measure import Options, Row, Spent, apart, spent, spread
from quality_ours import improved
from quality_tasks import SUBJECTS, Subject

import mu2net_core as m

LARGEST_SVM = 6_000
SMALL = {"generations": 1, "children": 1, "validations": 1}
KINDS = ("text", "tables")
"""Of data other than images: ``quality_KIND`` measures each."""
SMALL_PRESET = "vit-mini"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Test accuracies of one seed, and processor seconds.

    Attributes:
        svm: of the support vector machine.
        recipe: of the plain recipe.
        ours: of the evolved model.
        svm_s: of fitting and asking it.
        ours_s: of the iteration, which the recipe was given, too.
        compiling_s: wall time of compilations, in ``ours_s``.
    """

    svm: float
    recipe: float
    ours: float
    svm_s: float
    ours_s: float
    compiling_s: float


def measure(options: Options) -> list[Row]:
    if options.kinds:
        return [row for kind in KINDS for row in import_module(f"quality_{kind}").measure(options)]
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    names = os.environ.get("MU2NET_QUALITY", "digits" if options.small or not data.is_dir() else "").split()
    chosen = [subject for subject in SUBJECTS if not names or subject.name in names]
    return [_row(subject, _rounds(subject, data, options)) for subject in chosen]


def _rounds(subject: Subject, data: Path, options: Options) -> list[Round]:
    uri = subject.place(data, options.folder)
    return [_round(subject, uri, data, options, seed) for seed in range(options.pairs)]


def _round(subject: Subject, uri: str, data: Path, options: Options, seed: int) -> Round:
    sizes = SMALL if options.small else {}
    folder = options.folder / f"{subject.name}-{seed}"
    mine: Spent = apart(ours, folder, uri, data, sizes, seed, inline=options.small)
    budget = 0.2 if options.small else max(1.0, mine.cpu_s - mine.result["compiling_s"])
    recipe, machine = apart(floors, folder, uri, data, subject, budget, seed, inline=options.small)
    return Round(
        svm=machine.result,
        svm_s=machine.cpu_s,
        recipe=recipe,
        ours=mine.result["test"],
        ours_s=mine.cpu_s,
        compiling_s=mine.result["compiling_s"],
    )


def ours(folder: Path, uri: str, data: Path, sizes: dict[str, int], seed: int) -> Spent:
    """Returns what one iteration of a new repository spent; test accuracy, and the time of compilations."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    preset = SMALL_PRESET if sizes == SMALL else os.environ.get("MU2NET_QUALITY_PRESET")
    repo = m.init(folder, **({"preset": preset, "seed": seed} if preset else {}))  # roots of auto have no seed
    repo.add_task(uri, m.TaskOptions(name="task"))
    return improved(repo, sizes, seed)


def floors(folder: Path, uri: str, data: Path, subject: Subject, budget: float, seed: int) -> tuple[float, Spent]:
    """Returns the recipe's test accuracy after ``budget`` seconds, and what the support vector machine spent."""
    train, test, classes = arrays_of(folder, "task", uri, data, subject.side)
    recipe = accuracy_of_recipe(train, test, num_classes=classes, cpu_s=budget, shift=subject.shift, seed=seed)
    return recipe, spent(lambda: _svm(train, test))


def _svm(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> float:
    from sklearn.svm import SVC

    def flat(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32) / 255

    machine = SVC(C=10).fit(flat(train[0][:LARGEST_SVM]), train[1][:LARGEST_SVM])
    return float(machine.score(flat(test[0]), test[1]))


def arrays_of(folder: Path, name: str, uri: str, data: Path, side: int) -> tuple[Any, Any, int]:
    """Returns a task's training and test examples as arrays, and the number of classes."""
    from mu2net_core.data import load_split

    repo = m.open(folder)
    task = repo.show(name).task_object
    place = {"data_dir": str(data / "tfds"), "uri": uri if uri.startswith(("folder:", "npz:")) else None}
    found = [load_split(task, split, shape=(side, side, 3), **place) for split in ("train", "test")]
    train, test = ((split.inputs, split.labels) for split in found)
    return train, test, task.output.size


def _row(subject: Subject, rounds: Sequence[Round]) -> Row:
    ours_, recipe, svm = ([getattr(one, name) for one in rounds] for name in ("ours", "recipe", "svm"))
    spent_s = statistics.mean(one.ours_s for one in rounds)
    compiling_s = statistics.mean(one.compiling_s for one in rounds)
    mark = "" if subject.mark is None else f", {subject.mark:.3f}"
    gap = 100 * (statistics.mean(ours_) - statistics.mean(recipe))
    return Row(
        case=f"test accuracy, {subject.name}, {len(rounds)} seed{'s' * (len(rounds) > 1)}",
        floor=f"SVM {spread(svm)} in {rounds[0].svm_s:.0f} s; recipe {spread(recipe)} in as long",
        ours=f"{spread(ours_)} in {spent_s:.0f} s, {compiling_s:.0f} s of it compilations",
        ratio=f"{gap:+.1f} points",
        bar=f"≥ SVM + 1 point, recipe - 1{mark}",
    )
