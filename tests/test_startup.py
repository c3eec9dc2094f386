"""Light verbs stay light: what they import, seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    *("jax", "jaxlib", "flax", "optax", "zarr", "tensorflow", "tensorflow_datasets", "numpy", "fsspec"),
    *("sklearn", "PIL", "grain", "cryptography", "s3fs", "gcsfs", "adlfs", "aiohttp", "optuna"),
    "mu2net_core.testing",
    "importlib.metadata",  # finds plug-ins, 10 ms
    "pydantic",  # typer's, 0.2 s: see mu2net_cli/parsing/light.py
)
PROBE = """
import sys
from mu2net_cli.main import main
code = main(sys.argv[1:])
heavy = [name for name in {heavy!r} if name in sys.modules]
print("HEAVY", *heavy, file=sys.stderr)
sys.exit(code)
"""


def heavy_imports(folder: Path, *args: str) -> str:
    """Returns what ``mu2net ARGS`` imported of the heavy libraries."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder / "no-settings")}
    command = [sys.executable, "-c", PROBE.format(heavy=HEAVY), *args]
    result = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a repository that has a task and a remote."""
    from mu2net_core.api.context import Context
    from mu2net_core.api.setup.init import init
    from mu2net_core.api.setup.open import open_repo
    from mu2net_core.api.tasks.add_task import add_task

    folder = tmp_path_factory.mktemp("startup")
    context = Context.default()
    init(folder, context, preset="vit-mini")
    add_task(open_repo(folder, context), context, "sklearn:digits")
    return folder


def test_the_probe_notices_a_heavy_import(tmp_path: Path) -> None:
    assert heavy_imports(tmp_path, "--help") == "HEAVY"
    command = [sys.executable, "-c", "import numpy;" + PROBE.format(heavy=HEAVY), "--version"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert result.stderr.splitlines()[-1] == "HEAVY numpy"


@pytest.mark.parametrize("args", ["--version", "log --help", "evolve --help", "remote --help"])
def test_help_imports_nothing_heavy(tmp_path: Path, args: str) -> None:
    assert heavy_imports(tmp_path, *args.split()) == "HEAVY"


def test_a_repository_whose_roots_come_with_tasks_is_made_without_anything_heavy(tmp_path: Path) -> None:
    assert heavy_imports(tmp_path, "init") == "HEAVY"


@pytest.mark.parametrize(
    "args",
    ["log", "log digits -n 3", "status", "tasks", "leaderboard", "contributors", "remote list", "config list", "tag"],
)
def test_looking_at_a_repository_imports_nothing_heavy(repository: Path, args: str) -> None:
    found = heavy_imports(repository, *args.split())
    assert found == ("HEAVY importlib.metadata" if args == "config list" else "HEAVY")  # that tells what is installed
