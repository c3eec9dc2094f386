"""A remote that was brought back from an older copy, under a new epoch: who knew more brings the rest back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.epoch import EPOCHS
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.tracking import forget_tracking
from mu2net_core.testing.building.samples import evolve_sample


@pytest.fixture
def ann(ann: Repository, origin: Remote, tmp_path: Path) -> Repository:
    """Returns a working copy that shares two tasks; later work on one of them is not in the backup any more."""
    shutil.copytree(origin.url, tmp_path / "backup")
    for number in range(3):
        evolve_sample(ann, "dogs", score=0.6, seed=number)
        push(ann, origin)
    shutil.rmtree(origin.url)
    shutil.copytree(tmp_path / "backup", origin.url)
    shutil.rmtree(Path(origin.url, EPOCHS))
    return ann


def shared(origin: Remote) -> Repository:
    return open_repository(Path(origin.url))


def test_who_knew_more_sends_it_again_and_goes_on_from_there(ann: Repository, origin: Remote) -> None:
    evolve_sample(ann, "dogs", score=0.9, seed=9)
    result = push(ann, origin)
    assert "entries 2 to 4 of dogs" in result.restored
    assert [state.commit for state in shared(origin).refs.log("dogs")][1:] == [
        state.commit for state in ann.refs.log("dogs")
    ][2:]
    assert fsck(shared(origin)).problems == ()


def test_who_forgets_what_was_there_brings_it_back(ann: Repository, origin: Remote) -> None:
    forget_tracking(ann.state, "origin")
    push(ann, origin)
    head, ours = shared(origin).refs.head("dogs"), ann.refs.head("dogs")
    assert head is not None
    assert ours is not None
    assert head.commit == ours.commit
    assert fsck(shared(origin)).problems == ()
