"""What all tests of repositories want."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mu2net_core.objects import Snapshot
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.pushing import push
from mu2net_core.repo.remotes import attach
from mu2net_core.testing.samples import add_sample_task, evolve_sample, sample_repository


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


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    """Returns a remote where there is nothing yet."""
    return Remote(name="origin", url=str(tmp_path / "shared"))


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy that shares two tasks."""
    repo = sample_repository(tmp_path / "ann")
    repo.update_config(lambda config: config.with_remote(origin))
    attach(repo)
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    push(repo, origin)
    return repo
