"""Two people who share three tasks through a folder; no waiting for disks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mu2net_core.api import remote
from mu2net_core.api.clone import clone
from mu2net_core.api.context import Context
from mu2net_core.api.push import push
from mu2net_core.repo import Repository, open_repository
from mu2net_core.testing.samples import add_sample_task, evolve_sample


@pytest.fixture
def ann(repo: Repository, context: Context) -> Repository:
    """Returns a working copy that shares three tasks."""
    for task in ("a", "b", "c"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task))
    remote.add(repo, context, "origin", "shared")
    push(repo, context)
    return repo


@pytest.fixture
def bob(ann: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a clone of what ann shares."""
    clone("shared", "bob", context)
    return open_repository(tmp_path / "bob")


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets syncing return at once: it changes nothing a test here can see, and takes most of its time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
