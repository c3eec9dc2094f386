from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.running import running
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.errors import ConflictError, NotFoundError
from mu2net_core.objects import hash_bytes
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.search import Member, Population, SearchState
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.samples import evolve_sample, sample_task

NOW = timedelta(seconds=-60)  # so that even what was made a moment ago is old enough


def fresh(repo: Repository) -> Repository:
    return open_repository(repo.worktree)


def age(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - 86400 * 30,) * 2)


def test_nothing_is_deleted_unless_asked(ann: Repository, context: Context) -> None:
    lost = ann.objects.put(sample_task("lost"))
    assert gc(ann, context, grace=NOW).num_objects == 1
    assert ann.objects.has("task", lost)
    assert gc(ann, context, grace=NOW, dry_run=False).num_objects == 1
    assert not ann.objects.has("task", lost)


def test_what_was_fetched_and_not_merged_stays(ann: Repository, bob: Repository, context: Context) -> None:
    evolve_sample(ann, "a", score=0.9, seed=77)
    push(ann, context)
    fetch(bob, context)
    assert gc(fresh(bob), context, grace=NOW, dry_run=False).num_objects == 0


def test_what_a_running_iteration_needs_stays(ann: Repository, context: Context) -> None:
    head = load_system(ann).heads["a"]
    folder = ann.path / "refs/heads/a"
    search = SearchState(population=Population(task="b", members=(Member(id=head.model_id, model=head.model),)))
    state = replace(begun_at(ann, "a", search=search, started_at=context.timestamp()), task="b")
    Workspace.of(ann, "b").save(state)
    assert [one.learned_from for one in running(ann)] == [frozenset({"a"})]
    for file in [*folder.iterdir(), *(ann.state / "remotes").iterdir()]:
        file.unlink()
    ann = fresh(ann)
    assert gc(ann, context, grace=NOW, dry_run=False).num_objects == 0
    Workspace.of(ann, "b").clear()
    assert gc(ann, context, grace=NOW, dry_run=False).kinds["model"] == 1


def test_a_remote_is_collected_from_here(ann: Repository, context: Context, tmp_path: Path) -> None:
    there = open_repository(tmp_path / "shared")
    lost = there.objects.put(sample_task("lost"))
    age(tmp_path / "shared")
    report = gc(ann, context, remote="origin", dry_run=False)
    assert (report.num_objects, report.kinds) == (1, {"task": 1})
    assert not there.objects.has("task", lost)
    assert fsck(fresh(there), context).problems == ()
    assert push(ann, context).num_objects == 0


def test_an_unfinished_clone_is_left_alone(ann: Repository, context: Context) -> None:
    (ann.state / "unfinished-clone").write_text("")
    with pytest.raises(ConflictError, match="not finished"):
        gc(ann, context)


def test_an_unknown_remote(ann: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="no remote nowhere"):
        gc(ann, context, remote="nowhere")


def test_a_state_that_cannot_be_read_needs_nothing(ann: Repository, context: Context) -> None:
    folder = ann.state / "iterations" / hash_bytes(b"x")
    folder.mkdir(parents=True)
    (folder / "state.json").write_bytes(b"{")
    assert list(running(ann)) == []
