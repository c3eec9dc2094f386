"""What a task that joins a system late gets of what others have learned, against the plain recipe at the same cost.

Others are evolved for one iteration each, then the late task for one. The recipe of ``floor_recipe`` is given as much
processor time as the late task took, probing and reading included. Each round has another seed; the test split is
looked at once, at the end.

``MU2NET_LATE`` chooses late tasks by name, ``MU2NET_LATE_SOURCES`` those that are there before them (default: all
the others; ``none``: the late task begins from the root), ``MU2NET_LATE_PRESET`` the preset. The late iteration has the
sizes of ``MU2NET_LATE_SIZES`` and the settings of ``MU2NET_LATE_SETTINGS``, ``KEY=VALUE ...``; with ``generations=1
children=1`` it is the first child alone. The iterations of the others have the sizes of ``MU2NET_LATE_BEFORE``, and
``MU2NET_LATE_CACHE`` is a folder in which their systems are kept, which take long to make: one for each beginning of
the list of others, so that late tasks share what they can.

What the late iteration runs is compiled before, on a copy, because nobody knows what a compilation costs on a busy
machine: it runs beside the training.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from case_quality import arrays_of
from floor_recipe import accuracy_of_recipe
from measure import Options, Row, Spent, apart, spent, spread
from quality_tasks import CHARACTERS, SUBJECTS, Subject

import mu2net_core as m

LATE = ("omniglot", "az", "emnist", "devanagari")
SMALL = {"generations": 1, "children": 1, "validations": 1}
BRIEF = {"evolve.min_steps": 1, "evolve.samples_cap": 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What came of a late task.

    Attributes:
        test: accuracy on the test split.
        validation: on the validation split.
        given: the share of the gradient steps behind the model that each task gave.
        line: what became of each child, in words.
    """

    test: float
    validation: float
    given: dict[str, float]
    line: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Test accuracies of one seed: ours and the recipe's, and the processor seconds of training that either had."""

    joined: Joined
    recipe: float
    training_s: float


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    if options.small or not data.is_dir():
        digits = next(subject for subject in SUBJECTS if subject.name == "digits")
        return [_row(digits, [_round(digits, (replace(digits, name="before"),), data, options, seed=0)])]
    late, asked = _words("MU2NET_LATE", " ".join(LATE)), _words("MU2NET_LATE_SOURCES")
    in_turn = sorted(CHARACTERS, key=lambda one: one.name in late)  # first those that are there before every late task
    rows = []
    for subject in (one for one in CHARACTERS if one.name in late):
        others = tuple(one for one in in_turn if one != subject and (not asked or one.name in asked))
        rows.append(_row(subject, [_round(subject, others, data, options, seed) for seed in range(options.pairs)]))
    return rows


def _round(subject: Subject, others: Sequence[Subject], data: Path, options: Options, seed: int) -> Round:
    preset = "vit-mini" if options.small else os.environ.get("MU2NET_LATE_PRESET", "convnet-32")
    system = _system(others, data, options, preset, seed)
    folder, warm = options.folder / f"{subject.name}-{seed}", options.folder / f"{subject.name}-{seed}-compiling"
    shutil.copytree(system, folder)
    shutil.copytree(system, warm)
    uri, settings = subject.place(data, options.folder), dict(map(_setting, _words("MU2NET_LATE_SETTINGS")))
    if not options.small:
        apart(join, warm, uri, subject.name, data, SMALL, settings | BRIEF, seed)
    sizes = sizes_of("MU2NET_LATE_SIZES", options)
    mine: Spent = apart(join, folder, uri, subject.name, data, sizes, settings, seed, inline=options.small)
    training_s = 0.2 if options.small else mine.cpu_s
    recipe = apart(floor, folder, uri, data, subject, training_s, seed, inline=options.small)
    return Round(joined=mine.result, recipe=recipe, training_s=training_s)


def _system(others: Sequence[Subject], data: Path, options: Options, preset: str, seed: int) -> Path:
    """Returns a repository in which each of ``others`` had one iteration, in their order: that kept, or a new one."""
    kept, sizes = Path(os.environ.get("MU2NET_LATE_CACHE", options.folder)), sizes_of("MU2NET_LATE_BEFORE", options)
    made = [f"{name}{size}" for name, size in sizes.items()]
    system = kept / "-".join(["late", preset, str(seed), *made, *(one.name for one in others)])
    if not system.exists():
        making = options.folder / "making"
        if others[:-1]:
            shutil.copytree(_system(others[:-1], data, options, preset, seed), making)
        apart(grow, making, others[-1:], data, preset, sizes, seed, inline=options.small)
        shutil.move(making, system)
    return system


def grow(folder: Path, tasks: Sequence[Subject], data: Path, preset: str, sizes: dict[str, int], seed: int) -> None:
    """Gives a repository, which is made if it is not there, tasks that each have one iteration."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo = m.open(folder) if folder.exists() else m.init(folder, preset=preset, seed=seed)
    for subject in tasks:
        repo.add_task(subject.place(data, folder.parent), m.TaskOptions(name=subject.name))
        repo.evolve(tasks=[subject.name], iterations=1, seed=seed, **sizes)


def join(
    folder: Path, uri: str, name: str, data: Path, sizes: dict[str, int], settings: Mapping[str, Any], seed: int
) -> Spent:
    """Returns what the iteration of a late task spent and came to."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo = m.open(folder)
    for key, value in settings.items():
        repo.set_config(key, value)
    repo.add_task(uri, m.TaskOptions(name=name))
    line = list[str]()

    def note(event: m.Event) -> None:
        if isinstance(event, m.CandidatesProbed):
            found = ", ".join(f"{probe.task or 'root'} {probe.accuracy:.3f}" for probe in event.found)
            line.append(f"probes: {found} in {event.wall_s:.1f} s")
        if isinstance(event, m.GenerationFinished):
            line.extend(_told(event.generation, child) for child in event.children)

    measured = spent(lambda: repo.evolve(tasks=[name], iterations=1, seed=seed, on_event=note, **sizes))
    head = repo.show(name)
    joined = Joined(
        test=repo.evaluate(name).accuracy,
        validation=head.model.quality or 0.0,
        given=dict(repo.ancestry(name).transfer.by_params),
        line=tuple(line),
    )
    return replace(measured, result=joined)


def _words(variable: str, default: str = "") -> list[str]:
    return os.environ.get(variable, default).split()


def sizes_of(variable: str, options: Options) -> dict[str, int]:
    """Returns the sizes of iterations that a variable of the environment says, ``KEY=VALUE ...``, or the smallest."""
    return SMALL if options.small else {key: int(n) for key, n in map(_setting, _words(variable))}


def _setting(word: str) -> tuple[str, Any]:
    key, _, value = word.partition("=")
    return key, json.loads(value)


def _told(generation: int, child: m.ChildReport) -> str:
    curve = " ".join(f"{quality:.3f}" for quality in child.curve)
    changed = " ".join(one.name for one in child.mutations if not one.name.startswith("mu:"))
    return f"{generation}.{child.child} of {child.parent_task or 'root'}: {curve} {child.outcome}; {changed}"


def floor(folder: Path, uri: str, data: Path, subject: Subject, training_s: float, seed: int) -> float:
    """Returns the recipe's test accuracy after ``training_s``."""
    train, test, classes = arrays_of(folder, subject.name, uri, data, subject.side)
    return accuracy_of_recipe(train, test, num_classes=classes, cpu_s=training_s, shift=subject.shift, seed=seed)


def _row(subject: Subject, rounds: Sequence[Round]) -> Row:
    ours, recipe = [one.joined.test for one in rounds], [one.recipe for one in rounds]
    spent_s = statistics.mean(one.training_s for one in rounds)
    gap = 100 * (statistics.mean(ours) - statistics.mean(recipe))
    for number, one in enumerate(rounds):
        reached = f"validation {one.joined.validation:.3f}, test {one.joined.test:.3f}"
        print(f"{subject.name}, seed {number}: {reached}", *one.joined.line, sep="\n  ", file=sys.stderr)
    given = {name: share for one in rounds for name, share in one.joined.given.items()}
    return Row(
        case=f"late task, {subject.name}, {len(rounds)} seed{'s' * (len(rounds) > 1)}",
        floor=f"recipe {spread(recipe)}",
        ours=f"{spread(ours)} in {spent_s:.0f} s; layers of {', '.join(f'{n} {s:.0%}' for n, s in given.items())}",
        ratio=f"{gap:+.1f} points",
        bar="≥ +10 points" if subject.name == "omniglot" else "≥ +1 point below .97, ≥ -1 point",
    )
