"""Two machines that share a repository of two tasks."""

from __future__ import annotations

import pytest

from mu2net_core.repo import Repository
from mu2net_core.testing.building.leasing import Clock, Machine
from mu2net_core.testing.building.samples import add_sample_task


@pytest.fixture
def ann(repo: Repository) -> Machine:
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
    return Machine(repo, "a")


@pytest.fixture
def ben(ann: Machine) -> Machine:
    return Machine(ann.repo, "b", clock=Clock(now=-5e9))
