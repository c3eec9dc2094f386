"""What tasks come to that grow together in one system, against the plain recipe at the same cost for each.

The tasks are evolved in turn, one iteration each, and so on for three rounds. Then the recipe of ``floor_recipe`` gets
for each task as much processor time as its iterations took without compilations. Each pair has another seed; the test
splits are looked at once, at the end.

``MU2NET_SYSTEM`` chooses tasks by name (default: the eight of characters), ``MU2NET_SYSTEM_SIZES`` the sizes of
iterations, ``KEY=VALUE ...`` (default: the defaults), and ``MU2NET_SYSTEM_CACHE`` is a folder in which systems are kept
as they grow, and what was found: what was interrupted goes on there.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from case_late import floor, sizes_of
from case_quality import SMALL_PRESET
from measure import Options, Row, Spent, apart, spread
from quality_ours import trained
from quality_tasks import CHARACTERS, SUBJECTS, Subject

import mu2net_core as m

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What became of one task of a system, and what it cost.

    Attributes:
        test: accuracy on the test split.
        recipe: that of the recipe, after as many seconds.
        training_s: processor seconds of its iterations, without compilations.
        given: the share of the gradient steps behind its model that other tasks gave, by parameters.
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
    sizes = sizes_of("MU2NET_SYSTEM_SIZES", options)
    made = [*(f"{name}{size}" for name, size in sizes.items()), *(task.name for task in tasks)]
    kept = Path(os.environ.get("MU2NET_SYSTEM_CACHE", options.folder)) / "-".join(["system", str(seed), *made])
    kept.mkdir(parents=True, exist_ok=True)
    spent_s: dict[str, list[float]] = _read(kept / "spent.json")
    rounds = 1 if options.small else ROUNDS
    for number in range(rounds):
        for task in tasks:
            if len(spent_s.setdefault(task.name, [])) == number:
                drawn = rounds * seed + number
                mine: Spent = apart(grow, kept, task, data, options.small, sizes, drawn, inline=options.small)
                spent_s[task.name].append(mine.cpu_s - mine.result)
                (kept / "spent.json").write_text(json.dumps(spent_s))
    grown = {name: Grown(**one) for name, one in _read(kept / "found.json").items()}
    for task in tasks:
        if task.name not in grown:
            training_s = 0.2 if options.small else sum(spent_s[task.name])
            test, given = apart(asked, kept / "repo", task.name, data, inline=options.small)
            uri = task.place(data, kept)
            recipe = apart(floor, kept / "repo", uri, data, task, training_s, seed, inline=options.small)
            grown[task.name] = Grown(test=test, recipe=recipe, training_s=training_s, given=given)
            (kept / "found.json").write_text(json.dumps({name: asdict(one) for name, one in grown.items()}))
    return grown


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def grow(kept: Path, task: Subject, data: Path, small: bool, sizes: Mapping[str, int], seed: int) -> Spent:
    """Returns what one iteration of a task spent, which is added to the system if it is not there."""
    os.environ["MU2NET_DATA_DIR"] = str(data / "tfds")
    folder = kept / "repo"
    repo = m.open(folder) if folder.exists() else m.init(folder, preset=SMALL_PRESET if small else "auto")
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
