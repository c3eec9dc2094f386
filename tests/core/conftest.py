"""Small repositories for the tests of core, and one place for what JAX compiled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mu2net_core.repo import Repository
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.samples import sample_repository

HERE, COMPARED = Path(__file__).parent, ("data", "engine", "nn", "objectives")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Returns a repository with a root model and no tasks."""
    return sample_repository(tmp_path / "work")


@pytest.fixture
def quickly() -> Iterator[None]:
    """Compiles what the test compiles quickly: not where bits are compared of what several programs computed."""
    with quick_compiler():
        yield


@pytest.fixture(autouse=True)
def _quickly(request: pytest.FixtureRequest) -> None:
    """Compiles quickly where what is computed is compared with what it should be."""
    if request.path.relative_to(HERE).parts[0] in COMPARED:
        request.getfixturevalue("quickly")


@pytest.fixture(scope="session")
def cache_dir(pytestconfig: pytest.Config) -> Path:
    """Returns a folder that stays from run to run and is shared by its workers, so that programs are compiled once."""
    return pytestconfig.cache.mkdir("mu2net")
