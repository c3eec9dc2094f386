"""``python tests/benchmarks/ablations.py SEED [ARM ...]``: what each part of the method is worth, switched off once.

Three character tasks, one after the other in one system: devanagari, emnist_digits_subset, omniglot_small1; one
iteration of each, of 2 generations x 2 children x 2 cycles of 60 steps, so that an arm takes a few minutes of a core.
An arm differs from "as it is" in one part: by settings, or, where users can set nothing, by another function in its
place. Test accuracy is looked at once, at the end. Processor seconds include compilations; ``MU2NET_CACHE_DIR`` may
name where programs are kept.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from grown import CYCLE, SIZES
from measure import apart, spent
from quality_tasks import CHARACTERS

import mu2net_core as m
from mu2net_core.objects import PREPARATION

TASKS = ("devanagari", "emnist", "omniglot")
STILL = {**{name: off for name, (off, _least, _most) in PREPARATION.items()}, "flip_left_right": False}
"""Hyperparameters by the values with which images are learned from as they are."""
SGD: Mapping[str, Any] = {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0}
"""What the papers train with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One part that is other than it is.

    Attributes:
        settings: of the repository.
        fixed: hyperparameters that have one value and never move.
        preset: instead of ``auto``.
        patch: returns what puts other functions in the place of the method's.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    preset: str = ""
    patch: Callable[[], Sequence[Any]] = tuple


def papers_share() -> Sequence[Any]:
    """Validates on 5 % of the training examples, however few that are."""
    from mu2net_core.data import defaults

    def five(split: str) -> defaults.Share:
        return defaults.Share(split=split, percent=5)

    special = tuple((name, rule) for name, rule in defaults._OF_DATA_SET if name != "cmaterdb/*")
    return [mock.patch.object(defaults, "_enough_of", five), mock.patch.object(defaults, "_OF_DATA_SET", special)]


def frozen_again() -> Sequence[Any]:
    """Layers that are a task's alone are frozen unless they are cloned, as the papers' text says."""
    from mu2net_core.search import Holdings

    return [mock.patch.object(Holdings, "owns", return_value=False)]


def root_last() -> Sequence[Any]:
    """Roots are no candidates where there is another model."""
    from mu2net_core.search import population

    usable = population.usable

    def others_first(system: Any, task: str) -> Any:
        others, roots = usable(system, task)
        return (others, [] if others or system.heads[task].model is not None else roots)

    return [mock.patch.object(population, "usable", others_first)]


def old_rate_decides() -> Sequence[Any]:
    """A moved rate is that of the child's children: its own mutations are drawn by what it was."""
    from mu2net_core.search import mutations

    move = mutations._moved_rate

    class Rate(float):
        before: float

        def __gt__(self, drawn: float) -> bool:  # drawn < rate, as Python asks the right-hand side first
            return self.before > drawn

    def moved(parent: Any, mutation: str, space: Any, rng: Any) -> Rate:
        rate = Rate(move(parent, mutation, space, rng))
        default = float(space.defaults["mu"])
        rate.before = default if parent is None else mutations.rate(parent, mutation, space)
        return rate

    tell = mutations._Draft.set_rate

    def told(draft: Any, mutation: str, after: float) -> None:
        tell(draft, mutation, float(after))

    return [mock.patch.object(mutations, "_moved_rate", moved), mock.patch.object(mutations._Draft, "set_rate", told)]


ARMS: Mapping[str, Arm] = {
    "as it is": Arm(),
    "family: a ViT with AdamW and batches of 32": Arm(
        preset="vit-ti3",
        settings={"evolve.batch_size": 32, "evolve.probes": 8},
        fixed={
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "beta2": 0.99,
            "weight_decay": 0.05,
            "label_smoothing": 0.1,
            "warmup_ratio": 0.3,
        },
    ),
    "optimizer: the papers' SGD": Arm(fixed=SGD),
    "augmentation: none": Arm(fixed=STILL),
    "budget: an epoch of batches of 512 a cycle": Arm(settings={"evolve.batch_size": 512, "evolve.min_steps": 1}),
    "validation: 5 %": Arm(patch=papers_share),
    "own layers: frozen unless cloned": Arm(patch=frozen_again),
    "root: no candidate beside others": Arm(patch=root_last),
    "probing: none": Arm(settings={"evolve.probes": 0}),
    "copying: each layer by chance": Arm(fixed={"copy_all": 0.0}),
    "rates: the old one decides": Arm(patch=old_rate_decides),
    "structure: nothing grows": Arm(settings={"space.structural": []}),
    "merging: on": Arm(settings={"space.merging": [0.25, 0.5, 0.75]}),
}


def main(seed: int, chosen: list[str]) -> None:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    for name in chosen or ARMS:
        with tempfile.TemporaryDirectory() as folder:
            measured = apart(grown, Path(folder) / "repo", data, name, seed)
        told = ", ".join(f"{task} {test:.3f} (validation {quality:.3f})" for task, test, quality in measured.result)
        print(f"seed {seed}, {name}: {told}; {measured.cpu_s:.0f} s", flush=True)


def grown(folder: Path, data: Path, name: str, seed: int) -> Any:
    """Returns what an arm spent, and by task its accuracy on the test and the validation split."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    arm = ARMS[name]
    for patch in arm.patch():
        patch.start()
    for key, value in arm.fixed.items():  # the environment alone can say both at once: a default is one of the values
        os.environ[f"MU2NET_SPACE_{key.upper()}"] = json.dumps([value])
        os.environ[f"MU2NET_DEFAULT_{key.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    repo = m.init(folder, **({"preset": arm.preset} if arm.preset else {}))
    subjects = {subject.name: subject for subject in CHARACTERS}
    for task in TASKS:
        repo.add_task(subjects[task].place(data, folder.parent / "data"), m.TaskOptions(name=task))
    for key, value in {**CYCLE, **arm.settings}.items():
        repo.set_config(key, value)

    def evolved() -> list[tuple[str, float, float]]:
        for task in TASKS:
            repo.evolve(tasks=[task], iterations=1, seed=seed, **SIZES)
        return [(task, repo.evaluate(task).quality, repo.show(task).model.quality or 0.0) for task in TASKS]

    return spent(evolved)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
