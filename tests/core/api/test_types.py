"""What type checkers see of ``mu2net_core``: a user's script is right where it is right, and each mistake is found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
USER = """
from datetime import timedelta
from pathlib import Path

import numpy as np

import mu2net_core as m


def told(event: m.Event) -> None:
    match event:
        case m.GenerationFinished():
            print(event.best_quality, [child.outcome for child in event.children])
        case m.IterationFinished(test=float(test)):
            print(f"{test:.1%}", event.schedule.total_steps)
        case _:
            print(type(event).__name__)


repo = m.open("x")
head: m.Head = repo.add_task("sklearn:digits", m.TaskOptions(private=True))
done = repo.evolve(tasks=["a"], seed=1, push=True, on_event=told, on_push=lambda pushed: print(pushed.remote))
for push in done.pushes:
    print(push.error.hint if push.error is not None else push.exchange)
try:
    found: m.Exchange = repo.push("origin", tasks=["a"], on_conflict="ours")
except m.ConflictError as exc:
    print(exc.hint)
for one in repo.predict("a", ["x.png", Path("y.png"), b"..."]):
    print(one.error.message if isinstance(one, m.Unreadable) else one.label)
labels = repo.model("a").predict(np.zeros((1, 8, 8), np.uint8))
print(labels.shape, repo.gc(grace=timedelta(days=1)).num_objects, repo.set_config("evolve.children", 4).value)
accuracies: list[float] = [row.validation for row in repo.leaderboard().rows if row.validation is not None]
print([check.hint for check in m.doctor().checks], [task.name for task in repo.tasks(removed=True)])

print(m.nonsense)  # wrong
m.open(path=1)  # wrong
m.init("y", presets="vit-mini")  # wrong
repo.nonsense()  # wrong
repo.add_task("sklearn:digits", m.TaskOptions(privat=True))  # wrong
repo.add_task("sklearn:digits", private=True)  # wrong
repo.add_task()  # wrong
repo.evolve(seed="one")  # wrong
repo.evolve(on_event=lambda event, more: None)  # wrong
repo.pull(on_conflict="mine")  # wrong
repo.push("origin", ["a"], "ours")  # wrong
repo.status().nxt  # wrong
repo.log("a").message  # wrong
done.iterations[0].tset  # wrong
done.pushes[0].exchange.tasks  # wrong
head.commit.messages  # wrong
repo.settings("evolve")[0].default.real  # wrong
m.IterationFinished().quality  # wrong
"""


def mypy(script: Path) -> tuple[set[int], str]:
    """Returns the lines in which mypy finds mistakes, and all it says."""
    options = ["--strict", "--follow-imports=silent", "--config-file", ROOT / "pyproject.toml"]
    command = [sys.executable, "-m", "mypy", *options, "--cache-dir", ROOT / ".mypy_cache", script]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {int(line) for line in re.findall(r"user\.py:(\d+): error:", result.stdout)}, result.stdout + result.stderr


def pyright(script: Path) -> tuple[set[int], str]:
    """Likewise pyright, as ``basedpyright`` brings it: with a Node.js of its own, so that nothing is downloaded."""
    settings = {"include": [script.name], "typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    script.with_name("pyrightconfig.json").write_text(json.dumps(settings))
    command = [
        sys.executable,
        "-m",
        "basedpyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        "-p",
        script.parent,
    ]
    result = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=False)
    assert result.stdout, result.stderr
    errors = json.loads(result.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in errors}, result.stdout


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_finds_what_is_misspelt_and_nothing_else(
    tmp_path: Path, checker: Callable[[Path], tuple[set[int], str]]
) -> None:
    script = tmp_path / "user.py"
    script.write_text(USER)
    wrong = {number for number, line in enumerate(USER.splitlines(), 1) if line.endswith("# wrong")}
    found, said = checker(script)
    assert found == wrong, said
