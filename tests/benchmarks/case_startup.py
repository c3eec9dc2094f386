"""Commands that only look, on a repository of 1,000 models, against importing what every command line needs.

Both sides run from byte code, as an installed program does; the environment's own choice about that is set aside.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest import mock

from measure import Options, Row, interleave, milliseconds, python_path

from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

VERBS = ("--help", "log", "status", "tasks")
FLOOR = "import typer, rich"
PROGRAM = "import sys; from mu2net_cli.main import main; sys.exit(main())"


def measure(options: Options) -> list[Row]:
    num_tasks, num_iterations = (2, 2) if options.small else (50, 20)
    folder = options.folder / "system"
    make_system(folder, num_tasks, num_iterations)
    environ = {**environment(options.folder), "PYTHONPYCACHEPREFIX": str(options.folder / "pyc")}
    run = partial(subprocess.run, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True)
    runs = {FLOOR: lambda: run([sys.executable, "-c", FLOOR])}
    runs |= {verb: partial(run, [sys.executable, "-c", PROGRAM, verb]) for verb in VERBS}
    if not options.small:
        interleave(runs, 1)  # writes the byte code
    timings = interleave(runs, options.pairs)
    size = f"{num_tasks * num_iterations:,} models"
    return [
        Row(
            case=f"mu2net {verb}" + ("" if verb == "--help" else f", {size}"),
            floor=f"{FLOOR}: {milliseconds(timings.median(FLOOR))}",
            ours=milliseconds(timings.median(verb)),
            ratio="+" + milliseconds(timings.extra(verb, FLOOR)),
            bar="+150 ms",
        )
        for verb in VERBS
    ]


def make_system(folder: Path, num_tasks: int, num_iterations: int) -> None:
    """Makes a repository of tasks that each evolved so often; nothing is forced to the disk, which takes minutes."""
    with mock.patch("os.fsync"):
        repo = sample_repository(folder)
        names = [f"group/task-{number:02d}" for number in range(num_tasks)]
        for name in names:
            add_sample_task(repo, name)
        for iteration in range(num_iterations):
            for name in names:
                evolve_sample(repo, name, score=0.5 + iteration / 100)


def environment(folder: Path) -> dict[str, str]:
    """Returns the environment of a process that runs this code from byte code, without the user's settings."""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**environ, "PYTHONPATH": python_path(), "XDG_CONFIG_HOME": str(folder)}
