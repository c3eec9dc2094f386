"""Small repositories for the tests of core, and one place for what JAX compiled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mu2net_core.repo import Repository
from mu2net_core.testing.building.samples import sample_repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Returns a repository with a root model and no tasks."""
    return sample_repository(tmp_path / "work")


@pytest.fixture(scope="session")
def cache_dir(pytestconfig: pytest.Config) -> Path:
    """Returns a folder that stays from run to run, so that programs are compiled once; each worker has its own."""
    return pytestconfig.cache.mkdir(f"mu2net-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
