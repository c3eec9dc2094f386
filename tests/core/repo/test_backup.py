"""A remote that was brought back from an older copy, under a new epoch: nobody relies on what the copy lacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.epoch import EPOCHS
from mu2net_core.repo.fsck import fsck
from mu2net_core.repo.pushing import push
from mu2net_core.repo.remotes import attach
from mu2net_core.repo.tracking import forget_tracking
from mu2net_core.testing.samples import add_sample_task, evolve_sample, sample_repository


@pytest.fixture
def origin(tmp_path: Path) -> Remote:
    return Remote(name="origin", url=str(tmp_path / "shared"))


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy that shares two tasks; later work on one of them is not in the backup any more."""
    repo = sample_repository(tmp_path / "ann")
    repo.update_config(lambda config: config.with_remote(origin))
    attach(repo)
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    push(repo, origin)
    shutil.copytree(origin.url, tmp_path / "backup")
    for number in range(3):
        evolve_sample(repo, "dogs", score=0.6, seed=number)
        push(repo, origin)
    shutil.rmtree(origin.url)
    shutil.copytree(tmp_path / "backup", origin.url)
    shutil.rmtree(Path(origin.url, EPOCHS))
    return repo


def shared(origin: Remote) -> Repository:
    return open_repository(Path(origin.url))


def test_who_knew_more_is_told_and_moves_nothing(ann: Repository, origin: Remote) -> None:
    evolve_sample(ann, "dogs", score=0.9, seed=9)
    before = shared(origin).refs.head("dogs")
    with pytest.raises(CorruptObjectError, match=r"ended at entry 4 when it was last seen, and now at 1"):
        push(ann, origin)
    assert shared(origin).refs.head("dogs") == before
    assert fsck(shared(origin)).problems == ()


def test_who_forgets_what_was_there_brings_it_back(ann: Repository, origin: Remote) -> None:
    forget_tracking(ann.state, "origin")
    push(ann, origin)
    head, ours = shared(origin).refs.head("dogs"), ann.refs.head("dogs")
    assert head is not None
    assert ours is not None
    assert head.commit == ours.commit
    assert fsck(shared(origin)).problems == ()
