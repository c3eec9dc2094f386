"""Folders and files where a repository has something else: they block the name they stand for, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import pull as api
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.remotes.reports import RemoteBehindError
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.sharing import add_tasks, broken, outcomes, working_copy


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr("mu2net_core.repo.exchange.push_session.SystemRandom.uniform", _never)


def _never(*_: object) -> float:
    raise AssertionError("It waits, as if somebody else were moving the head.")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def ann(tmp_path: Path, shared: Path, context: Context) -> Repository:
    """Returns a working copy that shares two tasks, and since went on with both."""
    repo = working_copy(tmp_path / "ann", Remote(name="origin", url=str(shared)))
    add_tasks(repo, "digits", "letters")
    push(repo, context)
    for task in ("digits", "letters"):
        evolve_sample(repo, task, score=0.6, seed=ord(task[0]) + 1)
    return open_repository(repo.worktree)


def _folder_in_the_place_of_an_entry(shared: Path) -> Path:
    place = shared / "refs/heads/digits/00000002"
    place.mkdir()
    return place


def _file_in_the_place_of_a_head(shared: Path) -> Path:
    place = shared / "refs/heads/new"
    place.write_text("x")
    return place


@pytest.mark.parametrize("attack", [_folder_in_the_place_of_an_entry, _file_in_the_place_of_a_head])
def test_what_is_in_the_place_of_an_entry_blocks_that_head_and_fsck_names_it(
    attack, ann: Repository, shared: Path, context: Context
) -> None:
    add_sample_task(ann, "new")
    place = attack(shared)
    task = "digits" if place.name == "00000002" else "new"
    pushed = push(ann, context)
    assert list(broken(pushed)) == [f"task {task}"]
    assert str(place) in broken(pushed)[f"task {task}"]
    assert outcomes(pushed)["letters"] == "updated"
    found = fsck(ann, context, remote="origin").problems
    assert [problem.object for problem in found] == [place.relative_to(shared).as_posix()]
    place.rmdir() if place.is_dir() else place.unlink()
    assert outcomes(push(ann, context))[task] in {"new", "updated"}
    assert fsck(ann, context, remote="origin").problems == ()


@pytest.mark.parametrize("key", ["refs/tags/v1", "refs/roots/next", "refs/epoch/" + "a" * 32])
def test_an_empty_folder_that_keeps_a_name_from_being_given_is_named_by_fsck(
    key: str, ann: Repository, shared: Path, context: Context
) -> None:
    (shared / key).mkdir(parents=True)
    (problem,) = fsck(ann, context, remote="origin").problems
    assert (problem.object, str(shared / key) in problem.message) == (key, True)


def test_a_folder_in_the_place_of_an_object_that_was_there_blocks_what_needs_it_alone(
    ann: Repository, shared: Path, context: Context
) -> None:
    state = ann.refs.log("digits")[0]
    file = shared / object_key("commit", state.commit)
    file.unlink()
    file.mkdir()
    pushed = push(ann, context)
    assert (outcomes(pushed)["letters"], outcomes(pushed)["digits"]) == ("updated", "skipped")
    with pytest.raises(RemoteBehindError):
        api.pull(ann, context)
    assert fsck(ann, context, remote="origin", repair_from="ann").repaired == (f"commit/{state.commit}",)
    assert outcomes(push(ann, context))["digits"] == "updated"


def test_an_entry_that_cannot_be_made_is_no_move_of_somebody_else(ann: Repository) -> None:
    head = ann.refs.head("digits")
    (ann.worktree / ".mu2net/refs/heads/digits/00000004").mkdir()
    assert head is not None
    with pytest.raises(CorruptObjectError, match="00000004 is a folder"):
        ann.refs.append("digits", head.commit, after=head)
