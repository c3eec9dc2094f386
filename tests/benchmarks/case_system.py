"""What tasks come to that grow together in one system, against the plain recipe at the same cost for each.

The tasks are evolved in turn, one iteration each, and so on for three rounds. Then the recipe of ``floor_recipe`` gets
for each task as much processor time as its iterations took without compilations. Each pair has another seed; the test
splits are looked at once, at the end.

``MU2NET_SYSTEM`` chooses tasks by name (default: the eight of characters), ``MU2NET_SYSTEM_SIZES`` the sizes of
iterations, ``KEY=VALUE ...`` (default: the defaults), and ``MU2NET_SYSTEM_CACHE`` is a folder in which systems are kept
as they grow: what was interrupted goes on there after its last iteration.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from case_late import SMALL, floor, settings_of
from measure import Options, Row, Spent, apart, spread
from quality_ours import trained
from quality_tasks import CHARACTERS, SUBJECTS, Subject

import mu2net_core as m

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What became of one task of a system, and what it cost.

    Attributes:
        test: accuracy on the test split; of ours, and of the recipe in as many seconds.
        recipe: of the recipe.
        training_s: processor seconds of its iterations, without compilations.
        given: the share of the gradient steps behind its model that other tasks gave.
    """

    test: float
    recipe: float
    training_s: float
    given: float


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    if options.small or not data.is_dir():
        digits = next(subject for subject in SUBJECTS if subject.name == "digits")
        tasks: Sequence[Subject] = (digits, replace(digits, name="others"))
    else:
        names = os.environ.get("MU2NET_SYSTEM", "").split()
        tasks = [subject for subject in CHARACTERS if not names or subject.name in names]
    found = [_round(tasks, data, options, seed) for seed in range(options.pairs)]
    rows = [_row(task.name, [one[task.name] for one in found]) for task in tasks]
    return [*rows, _mean([one for grown in found for one in grown.values()])]


def _round(tasks: Sequence[Subject], data: Path, options: Options, seed: int) -> dict[str, Grown]:
    """Returns what became of each task in a system of one seed."""
    sizes = SMALL if options.small else {key: int(n) for key, n in settings_of("MU2NET_SYSTEM_SIZES").items()}
    made = "-".join(["system", str(seed), *(f"{name}{size}" for name, size in sizes.items())])
    kept = Path(os.environ.get("MU2NET_SYSTEM_CACHE", options.folder)) / made
    kept.mkdir(parents=True, exist_ok=True)
    told = kept / "spent.json"
    spent_s: dict[str, list[float]] = json.loads(told.read_text()) if told.exists() else {}
    for number in range(1 if options.small else ROUNDS):
        for task in tasks:
            if len(spent_s.setdefault(task.name, [])) == number:
                mine: Spent = apart(grow, kept, task, data, options.small, sizes, seed + number, inline=options.small)
                spent_s[task.name].append(mine.cpu_s - mine.result)
                told.write_text(json.dumps(spent_s))
    grown = {}
    for task in tasks:
        training_s = 0.2 if options.small else sum(spent_s[task.name])
        test, given = apart(asked, kept / "repo", task.name, data, inline=options.small)
        uri = task.place(data, kept)
        recipe = apart(floor, kept / "repo", uri, data, task, training_s, seed, inline=options.small)
        grown[task.name] = Grown(test=test, recipe=recipe, training_s=training_s, given=given)
        (kept / "found.json").write_text(json.dumps({name: asdict(one) for name, one in grown.items()}, indent=1))
    return grown


def grow(kept: Path, task: Subject, data: Path, small: bool, sizes: Mapping[str, int], seed: int) -> Spent:
    """Returns what one iteration of a task spent, which is added to the system if it is not there."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    folder = kept / "repo"
    preset = {"preset": "vit-mini"} if small else {}
    repo = m.open(folder) if folder.exists() else m.init(folder, **preset)
    if task.name not in [info.name for info in repo.tasks()]:
        repo.add_task(task.place(data, kept), m.TaskOptions(name=task.name))
    return trained(repo, task.name, sizes, seed)


def asked(folder: Path, task: str, data: Path) -> tuple[float, float]:
    """Returns the test accuracy of a task's model, and which share of the steps behind it other tasks gave."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    repo = m.open(folder)
    own = dict(repo.ancestry(task).transfer.by_params)
    return repo.evaluate(task).quality, sum(share for name, share in own.items() if name != task)


def _row(name: str, found: Sequence[Grown]) -> Row:
    ours, recipe = [one.test for one in found], [one.recipe for one in found]
    spent_s, given = (statistics.mean(getattr(one, what) for one in found) for what in ("training_s", "given"))
    return Row(
        case=f"one system, {name}, {len(found)} seed{'s' * (len(found) > 1)}",
        floor=f"recipe {spread(recipe)} in as long",
        ours=f"{spread(ours)} in {spent_s:.0f} s; {given:.0%} of other tasks",
        ratio=f"{100 * (statistics.mean(ours) - statistics.mean(recipe)):+.1f} points",
        bar="",
    )


def _mean(found: Sequence[Grown]) -> Row:
    ours, recipe = (statistics.mean(getattr(one, what) for one in found) for what in ("test", "recipe"))
    return Row(
        case="one system, mean of its tasks",
        floor=f"recipe {recipe:.3f}",
        ours=f"{ours:.3f}",
        ratio=f"{100 * (ours - recipe):+.1f} points",
        bar="≥ recipe",
    )
