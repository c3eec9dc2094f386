"""Plug-ins for tests: things offered as if a package did, and packages installed where only one test sees them."""

from __future__ import annotations

import shutil
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.plugins import Registry

__all__ = ["install", "offer", "see"]


def offer(monkeypatch: pytest.MonkeyPatch, registry: Registry[Any], **things: object) -> None:
    """Makes a test find ``things`` by their names, as if an installed package offered them and nobody else anything."""
    points = [EntryPoint(name=name, value="theirs:thing", group=registry.group) for name in things]

    def found(*, group: str, name: str | None = None) -> list[EntryPoint]:
        return [point for point in points if point.group == group and name in {None, point.name}]

    monkeypatch.setattr("importlib.metadata.entry_points", found)
    for name, thing in things.items():
        monkeypatch.setitem(registry._loaded, name, thing)


def install(project: Path, target: Path) -> None:
    """Installs a pure package from its folder into another, as ``pip install --no-deps --target`` does, offline.

    Args:
        project: with a ``pyproject.toml`` and a package called like the project.
        target: gets the package and what tells of its entry points.
    """
    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = str(told["name"]).replace("-", "_")
    shutil.copytree(project / package, target / package, ignore=shutil.ignore_patterns("__pycache__"))
    about = target / f"{package}-{told['version']}.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {told['name']}\nVersion: {told['version']}\n", encoding="utf-8"
    )
    lines = list[str]()
    for group, entries in told["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    about.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def see(monkeypatch: pytest.MonkeyPatch, target: Path, *registries: Registry[Any]) -> None:
    """Makes this process see what is installed in ``target``, as long as the test runs."""
    monkeypatch.syspath_prepend(str(target))
    for folder in target.iterdir():
        for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
            monkeypatch.delitem(sys.modules, name)
    for registry in registries:
        for name in [name for name in registry._loaded if name not in registry.shipped]:
            monkeypatch.delitem(registry._loaded, name)
