"""Packages that add something to mu2net: found by name, imported when used, and named when they are broken."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.errors import PluginError
from mu2net_core.plugins import Registry
from mu2net_core.testing.building.plugins import install, see

Install = Callable[..., Registry[Any]]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Returns what installs a package with one module and entry points, and returns a registry that looks for them."""

    def make(source: str = "thing = 1", package: str = "mu2net_tried", **entries: str) -> Registry[Any]:
        project = tmp_path / package
        (project / package).mkdir(parents=True)
        (project / package / "__init__.py").write_text(source)
        lines = [f'{name} = "{value}"' for name, value in entries.items()]
        (project / "pyproject.toml").write_text(
            f'[project]\nname = "{package}"\nversion = "1"\n[project.entry-points."mu2net.tests"]\n' + "\n".join(lines)
        )
        target = tmp_path / "target"
        install(project, target)
        see(monkeypatch, target)
        return Registry(group="mu2net.tests", what="toy", shipped={"top": "math:pi"}, offers=("real",))

    return make


def test_what_a_package_offers_is_found_by_name_and_imported_when_it_is_used(installed: Install) -> None:
    toys = installed(ball="mu2net_tried:thing")
    assert toys.names() == ("ball", "top")
    assert ("ball" in toys, "top" in toys, "kite" in toys) == (True, True, False)
    assert "mu2net_tried" not in sys.modules
    assert (toys.load("ball"), toys.load("top")) == (1, __import__("math").pi)


def test_for_what_is_in_use_packages_are_not_looked_at_again(
    installed: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys = installed(ball="mu2net_tried:thing")
    toys.load("ball")
    monkeypatch.setattr("importlib.metadata.entry_points", None)
    assert "ball" in toys
    assert toys.load("ball") == 1


def test_a_module_can_be_what_is_offered(installed: Install) -> None:
    assert installed("real = 7", ball="mu2net_tried").load("ball").real == 7


def test_a_name_that_nobody_offers_comes_with_a_near_one(installed: Install) -> None:
    toys = installed(ball="mu2net_tried:thing")
    with pytest.raises(PluginError, match=r"^No toy 'bal' is installed; there are ball, top\.\nDid you mean ball\?$"):
        toys.load("bal")
    with pytest.raises(PluginError, match=r"No toy 'xyz' is installed(.|\n)*Install the package that offers it\."):
        toys.load("xyz")


@pytest.mark.parametrize(
    ("source", "value", "complaint"),
    [
        ("import nowhere_at_all", "mu2net_tried:thing", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "mu2net_tried:thing", "ZeroDivisionError: division by zero"),
        ("thing = 1", "mu2net_tried:other", "AttributeError: .*no attribute 'other'"),
        ("thing = 1", "mu2net_nowhere:thing", "ModuleNotFoundError: No module named 'mu2net_nowhere'"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named(
    installed: Install, source: str, value: str, complaint: str
) -> None:
    toys = installed(source, ball=value)
    with pytest.raises(PluginError, match=f"The toy 'ball' cannot be imported from {value}: {complaint}") as caught:
        toys.load("ball")
    assert (caught.value.exit_code, caught.value.kind) == (3, "plugin")
    assert f"has {value.partition(':')[0]}" in (caught.value.hint or "")


def test_what_lacks_something_is_told_what(installed: Install) -> None:
    with pytest.raises(PluginError, match=r"The toy 'ball' cannot be used: expected real, and it lacks real"):
        installed("thing = 'text'", ball="mu2net_tried:thing").load("ball")


def test_a_package_cannot_put_something_in_the_place_of_what_is_shipped(installed: Install) -> None:
    toys = installed(top="mu2net_tried:thing")
    assert toys.load("top") != 1
    assert toys.names() == ("top",)


def test_two_packages_that_offer_the_same_name_are_both_named(installed: Install) -> None:
    installed(ball="mu2net_tried:thing")
    toys = installed("thing = 2", package="mu2net_tried_too", ball="mu2net_tried_too:thing")
    with pytest.raises(PluginError, match="offer the toy 'ball': mu2net_tried:thing and mu2net_tried_too:thing"):
        toys.load("ball")


def test_a_broken_package_keeps_nobody_from_using_another(installed: Install) -> None:
    toys = installed("import nowhere_at_all", ball="mu2net_tried:thing")
    assert toys.load("top")
    assert "ball" in toys.names()
