"""What ``.ci/run`` installs is what ``pyproject.toml`` allows: the newest versions locked, and the lowest."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLUSTER = "requirements-cluster.txt"
"""What is installed beside either for the tests of a Ray cluster."""
_REQUIREMENT = re.compile(r"([a-z0-9-]+)(?:\[[a-z,]+\])?>=([0-9.]+)")


def lowest_allowed() -> Mapping[str, str]:
    """Returns the lower bound of everything that the tests install, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(line for name, lines in extras.items() if name != "prepare" for line in lines),
    ]
    return {match[1]: match[2] for line in wanted if (match := _REQUIREMENT.match(line))}


def locked(name: str) -> Mapping[str, str]:
    """Returns the versions in a lock file, by name."""
    return dict(re.findall(r"^([a-z0-9-]+)==([0-9.a-z]+)", (ROOT / name).read_text(), flags=re.MULTILINE))


def number(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def test_the_lowest_versions_tested_are_the_lowest_allowed() -> None:
    tested = {**locked("requirements-lowest.txt"), **locked(CLUSTER)}
    assert {name: number(tested[name]) for name in lowest_allowed()} == {
        name: number(bound) for name, bound in lowest_allowed().items()
    }


def test_the_locked_versions_are_allowed() -> None:
    newest = {**locked("requirements-ci.txt"), **locked(CLUSTER)}
    assert [name for name, bound in lowest_allowed().items() if number(newest[name]) < number(bound)] == []
