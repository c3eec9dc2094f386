"""Is it worth evolving tasks together? Four tasks of handwritten characters, against two baselines of equal budget.

    TFDS_DATA_DIR=... python examples/characters.py --omniglot images_background_small1.zip --results results

- evolution: one repository with all tasks, evolved in turn, with the preset's settings.
- apart: the same in one repository per task, so that nothing is transferred.
- evolution-mu0.3: like evolution, where mutations are more likely at first: each layer is trained with probability 0.3.
- alone: each task trained by itself from a random root, every layer, with the preset's default hyperparameters. The
  figure after iteration i is that of a fresh run of i times the budget, with one warm-up and one cosine.
- random: each task by itself; every child is a fresh start with hyperparameters drawn uniformly from the same space.

The budget is a number of training cycles (epochs) per task and iteration. An epoch of the random arm costs several
times as much as one of the others, because its images are larger, so it can be given a split of its own. The test
split is measured for the model that validation chose, and chooses nothing. Each run has a process of its own and
leaves a JSON file in the folder of results; what is there already is not run again. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mu2net_core as m
from mu2net_core.presets import preset_named

PRESET = "vit-ti3"
ARMS = ("evolution", "apart", "evolution-mu0.3", "alone", "random")
NUMERALS = ("cmaterdb/bangla", "cmaterdb/devanagari", "cmaterdb/telugu")


def settings(arm: str) -> dict[str, str]:
    """Returns the environment variables that make a run one of ``arm``."""
    if arm in {"evolution", "apart"}:
        return {}
    if arm == "evolution-mu0.3":
        return {"MU2NET_DEFAULT_MU": "0.3"}
    found = {"MU2NET_EVOLVE_METHOD": "random"}
    if arm == "alone":
        defaults = preset_named(PRESET).space.defaults
        found |= {f"MU2NET_SPACE_{name.upper()}": json.dumps([value]) for name, value in defaults.items()}
        found["MU2NET_SPACE_STRUCTURAL"] = "[]"
    return found


class Run:
    """One arm at one seed, in repositories below a folder.

    Args:
        arm: one of ``ARMS``.
        seed: of the roots and of all that is drawn.
        split: children per generation, generations per iteration, cycles per child.
        tasks: options of ``add_task`` by URI.
        folder: for the repositories.
    """

    def __init__(self, arm: str, seed: int, split: Sequence[int], tasks: dict[str, dict[str, Any]], folder: Path):
        self.arm, self.seed, self.tasks, self.folder = arm, seed, tasks, folder
        self.children, self.generations, self.validations = split
        self.compile_s = 0.0
        self.curves: list[dict[str, Any]] = []

    def all(self, iterations: int) -> dict[str, Any]:
        """Returns what the run measured."""
        began = time.perf_counter()
        ways = {"alone": self._alone, "random": self._apart, "apart": self._apart}
        rows, models = ways.get(self.arm, self._together)(iterations)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "arm": self.arm,
            "seed": self.seed,
            "split": [self.children, self.generations, self.validations],
            "rows": rows,
            "models": models,
            "children": self.curves,
            "wall_s": time.perf_counter() - began,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "compile_s": self.compile_s,
            "peak_mb": usage.ru_maxrss / 1024,
        }

    def _together(self, iterations: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        repo = self._repo("together", self.tasks)
        rows = self._evolve(repo, iterations, self.children, self.generations, self.validations)
        return rows, [_model(repo, info.name) for info in repo.tasks()]

    def _apart(self, iterations: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows, models = [], []
        for number, task in enumerate(self.tasks):
            repo = self._repo(f"apart{number}", [task])
            rows += self._evolve(repo, iterations, self.children, self.generations, self.validations)
            models += [_model(repo, info.name) for info in repo.tasks()]
        return rows, models

    def _alone(self, iterations: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows, models, budget = [], [], self.children * self.generations * self.validations
        for number, task in enumerate(self.tasks):
            for iteration in range(1, iterations + 1):
                repo = self._repo(f"alone{number}-{iteration}", [task])
                (row,) = self._evolve(repo, 1, 1, 1, iteration * budget)
                rows.append({**row, "iteration": iteration})
            models += [_model(repo, info.name) for info in repo.tasks()]
        return rows, models

    def _repo(self, name: str, tasks: Sequence[str] | dict[str, Any]) -> m.Repo:
        repo = m.init(self.folder / name, preset=PRESET, seed=self.seed)
        for task in tasks:
            repo.add_task(task, m.TaskOptions(**self.tasks[task]))
        return repo

    def _evolve(
        self, repo: m.Repo, iterations: int, children: int, generations: int, validations: int
    ) -> list[dict[str, Any]]:
        result = repo.evolve(
            iterations=iterations,
            generations=generations,
            children=children,
            validations=validations,
            seed=self.seed,
            on_event=self._note,
        )
        return [
            {
                "task": done.task,
                "iteration": done.iteration,
                "validation": done.validation,
                "test": done.test,
                "cycles": done.sampled * validations,
                "kept": done.kept,
                "discarded": dict(done.discarded),
                "wall_s": done.wall_s,
            }
            for done in result.iterations
        ]

    def _note(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "Compiled":
            self.compile_s += event.wall_s
        elif kind == "ChildFinished":
            names = ("task", "iteration", "generation", "child", "outcome", "quality", "wall_s")
            self.curves.append({name: getattr(event, name) for name in names})
        elif kind == "IterationFinished":
            place = f"{self.arm}, seed {self.seed}: {event.task}, iteration {event.iteration}"
            print(f"{place}: validation {event.validation:.3f}, {event.wall_s:.0f} s", file=sys.stderr, flush=True)


def _model(repo: m.Repo, task: str) -> dict[str, Any]:
    """Returns what the task's model is and where it came from."""
    found = repo.ancestry(task)
    model = repo.repository.objects.model(found.model)
    line = [one.task for one in found.ancestors if one.task is not None]
    return {
        "task": task,
        "hyperparameters": dict(model.hyperparameters),
        "layers": [ref.name for ref in model.components],
        "steps": {ref.name: {t: n.steps for t, n in ref.training.items()} for ref in model.components},
        "flops": model.costs.flops if model.costs else None,
        "line": line,
        "taught_by": dict(found.transfer.by_params),
        "untrained": found.transfer.untrained,
    }


def spread(values: Sequence[float]) -> str:
    """Returns mean ± sample standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {deviation:.3f}"


def report(runs: Sequence[dict[str, Any]], split: str = "test") -> None:
    """Prints the tables."""
    arms = [arm for arm in ARMS if any(run["arm"] == arm for run in runs)]
    tasks = list(dict.fromkeys(row["task"] for row in runs[0]["rows"]))
    print(f"| task | iteration | {' | '.join(arms)} |\n|---|---|{'---|' * len(arms)}")
    for iteration in sorted({row["iteration"] for row in runs[0]["rows"]}):
        for task in tasks:
            cells = [spread(_values(runs, arm, iteration, [task], split)) for arm in arms]
            print(f"| {task} | {iteration} | {' | '.join(cells)} |")
        means = [_values(runs, arm, iteration, tasks, split) for arm in arms]
        print(f"| **mean** | {iteration} | {' | '.join(f'**{spread(each)}**' for each in means)} |")
        each_seed = [" / ".join(f"{value:.3f}" for value in each) for each in means]
        print(f"| mean, per seed | {iteration} | {' | '.join(each_seed)} |")
    print("\n| arm | seed | cycles | CPU s | wall s | compiling, wall s | peak MB |\n|---|---|---|---|---|---|---|")
    for run in sorted(runs, key=lambda run: (ARMS.index(run["arm"]), run["seed"])):
        cycles = sum(row["cycles"] for row in run["rows"])
        print(
            f"| {run['arm']} | {run['seed']} | {cycles} | {run['cpu_s']:.0f} | {run['wall_s']:.0f} "
            f"| {run['compile_s']:.0f} | {run['peak_mb']:.0f} |"
        )
    print("\n| arm | task | ancestry | of other tasks | steps per layer | by others | blocks | image | learning rate |")
    print("|---|---|---|---|---|---|---|---|---|")
    for arm in arms:
        found = sorted((run for run in runs if run["arm"] == arm), key=lambda run: run["seed"])
        for task in tasks:
            print(_origin(arm, task, [model for run in found for model in run["models"] if model["task"] == task]))


def _values(runs: Sequence[dict[str, Any]], arm: str, iteration: int, tasks: Sequence[str], split: str) -> list[float]:
    """Returns the mean over ``tasks``, run by run."""
    found = sorted((run for run in runs if run["arm"] == arm), key=lambda run: run["seed"])
    return [
        statistics.mean(row[split] for row in run["rows"] if row["iteration"] == iteration and row["task"] in tasks)
        for run in found
    ]


def _origin(arm: str, task: str, models: Sequence[dict[str, Any]]) -> str:
    """Returns the row of a task's final models: means over seeds, and each seed's hyperparameters."""
    lines = [len(model["line"]) for model in models]
    foreign = [sum(1 for name in model["line"] if name != task) for model in models]
    steps = [statistics.mean(sum(each.values()) for each in model["steps"].values()) for model in models]
    others = [sum(share for name, share in model["taught_by"].items() if name != task) for model in models]
    values = [
        " / ".join(str(model["hyperparameters"].get(name, "-")) for model in models)
        for name in ("num_layers", "image_size", "learning_rate")
    ]
    return (
        f"| {arm} | {task} | {statistics.mean(lines):.1f} | {statistics.mean(foreign):.1f} "
        f"| {statistics.mean(steps):.1f} | {statistics.mean(others):.0%} | {' | '.join(values)} |"
    )


def _tasks(omniglot: str | None, folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the tasks, by URI; a zip file is unpacked into ``folder``."""
    tasks: dict[str, dict[str, Any]] = {uri: {} for uri in NUMERALS}
    if omniglot is None:
        return tasks
    path = Path(omniglot).absolute()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        (path,) = folder.iterdir()
    return {**tasks, f"folder:{path}": {"name": "omniglot", "depth": 2}}


def _run_all(options: argparse.Namespace) -> list[dict[str, Any]]:
    folder, runs = Path(options.results), []
    folder.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for arm in options.arms:
            file = folder / f"{arm}-{seed}.json"
            if not file.exists():
                command = [sys.executable, __file__, "--one", arm, "--seeds", str(seed), "--results", str(file)]
                split = options.random_split if arm == "random" and options.random_split else options.split
                command += ["--split", split, "--iterations", str(options.iterations)]
                command += ["--omniglot", options.omniglot] if options.omniglot else []
                subprocess.run(command, check=True, env={**os.environ, **settings(arm)})
            runs.append(json.loads(file.read_text()))
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help="folder of the JSON files")
    parser.add_argument("--omniglot", help="images_background_small1, as a zip file or a folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--split", default="8x4x4", help="children x generations x cycles per child")
    parser.add_argument("--random-split", help="of the random arm, if it shall be another")
    parser.add_argument("--validation", action="store_true", help="show validation accuracies, as to choose by")
    parser.add_argument("--one", help="run this arm only, in this process")
    options = parser.parse_args()
    if not options.one:
        report(_run_all(options), "validation" if options.validation else "test")
        return
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as folder:
        split = [int(number) for number in options.split.split("x")]
        run = Run(options.one, options.seeds[0], split, _tasks(options.omniglot, Path(data)), Path(folder))
        found = run.all(options.iterations)
    part = Path(f"{options.results}.part")
    part.write_text(json.dumps(found, indent=1))
    part.rename(options.results)


if __name__ == "__main__":
    main()
