"""Small repositories for the tests of core."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.repo import Repository
from mu2net_core.testing.samples import sample_repository


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Returns a repository with a root model and no tasks."""
    return sample_repository(tmp_path / "work")
