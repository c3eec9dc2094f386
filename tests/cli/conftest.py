"""Runs the command line in this process, in a world of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mu2net_cli.main import main


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
def clean_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hides the user's settings and environment; the working folder is the test's own."""
    for name in [name for name in os.environ if name.startswith("MU2NET_") and name != "MU2NET_TEST_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings"))
    monkeypatch.setenv("MU2NET_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
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


@pytest.fixture(scope="session")
def empty_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    prepare(["init", str(folder), "--preset", "vit-mini"])
    return folder


@pytest.fixture(scope="session")
def trained_world(empty_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(empty_world, folder, dirs_exist_ok=True)
    small = ["--generations", "1", "--children", "1", "--validations", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MU2NET_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
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
