"""What all tests of repositories want."""

from __future__ import annotations

import os

import pytest

from mu2net_core.objects import Snapshot
from mu2net_core.repo import Repository
from mu2net_core.testing.samples import add_sample_task, evolve_sample


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets syncing return at once: it changes nothing a test here can see, and takes most of its time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def grown(repo: Repository) -> Repository:
    """Returns a repository with two tasks, three iterations each, and a tag."""
    for task in ("a", "b/c"):
        add_sample_task(repo, task)
    for score in (0.1, 0.2, 0.3):
        evolve_sample(repo, "a", score=score)
        evolve_sample(repo, "b/c", score=score)
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    return repo
