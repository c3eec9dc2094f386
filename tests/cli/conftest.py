"""Runs the command line in this process, in a world of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mu2net_cli.main import main
from mu2net_core.testing.building.compiling import quick_compiler


@dataclass(frozen=True)
class Outcome:
    """What a command line printed and exited with."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _quick_compiler() -> Iterator[None]:
    """Ends with each test: a fixture of the package would last into the tests of other folders."""
    with quick_compiler():
        yield


@pytest.fixture(autouse=True)
def clean_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hides the user's settings and environment; the working folder is the test's own."""
    for name in [name for name in os.environ if name.startswith("MU2NET_") and name != "MU2NET_TEST_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings"))
    monkeypatch.setenv("MU2NET_CACHE_DIR", str(cache_folder(tmp_path_factory)))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Returns what runs ``mu2net ARGS`` and returns exit code and output."""

    def run_mu2net(*args: str) -> Outcome:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        return Outcome(code, *capfd.readouterr())

    return run_mu2net


def prepare(*command_lines: list[str]) -> None:
    """Runs command lines that must succeed, outside of any test's world."""
    for args in command_lines:
        assert main(["--debug", "-q", *args]) == 0


def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of this test run that its parallel workers share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns where all tests keep what they compile, if they do; else a folder of this run."""
    programs = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    return Path(programs).parent if programs else run_folder(tmp_path_factory) / "cache"


@contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Yields whether ``folder`` has to be made; of several workers one makes it and the others wait."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = folder.with_suffix(".made")
        if needed := not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed or died
        yield needed
        made.touch()


@pytest.fixture(scope="package")
def empty_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = run_folder(tmp_path_factory) / "empty-world"
    with made_once(folder) as needed:
        if needed:
            prepare(["init", str(folder), "--preset", "vit-mini"])
    return folder


@pytest.fixture(scope="package")
def trained_world(empty_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = run_folder(tmp_path_factory) / "trained-world"
    small = ["--generations", "1", "--children", "1", "--validations", "1"]
    with made_once(folder) as needed, pytest.MonkeyPatch.context() as patch, quick_compiler():
        patch.setenv("MU2NET_CACHE_DIR", str(cache_folder(tmp_path_factory)))
        if needed:
            shutil.copytree(empty_world, folder)
            prepare(
                ["-C", str(folder), "add-task", "sklearn:digits"],
                ["-C", str(folder), "add-task", "sklearn:digits/parity", "--private"],
                ["-C", str(folder), "evolve", "--all", "--seed", "1", *small],
            )
    return folder


@pytest.fixture
def empty_repo(empty_world: Path, tmp_path: Path) -> Path:
    """Returns the folder of a repository with a root and no task."""
    return Path(shutil.copytree(empty_world, tmp_path / "repo"))


@pytest.fixture
def trained_repo(trained_world: Path, tmp_path: Path) -> Path:
    """Returns the folder of a repository whose tasks digits and (private) digits/parity have a model."""
    return Path(shutil.copytree(trained_world, tmp_path / "repo"))
