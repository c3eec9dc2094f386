"""Snapshots that later generations of an iteration saw: a commit needs them as it needs its first one."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.objects import AccessRule, Run, Seen, object_key
from mu2net_core.repo import Remote, Repository, load_system, open_repository, record_snapshot
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.closure import needs
from mu2net_core.repo.upkeep.gc import collect
from mu2net_core.repo.upkeep.place import here
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.sharing import outcomes, there


@pytest.fixture
def seen(repo: Repository) -> str:
    """Returns a snapshot that only a generation of the newest commit of ``cats`` saw, in ``repo``."""
    return see(repo)


def see(repo: Repository, access: AccessRule | None = None) -> str:
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5)
    add_sample_task(repo, "dogs", *([access] if access else []))
    evolve_sample(repo, "dogs", score=0.5, seed=9)
    snapshot = record_snapshot(repo, load_system(repo), "cats")
    head = repo.refs.head("cats")
    assert head is not None
    later = (Seen(generation=1, snapshot=snapshot),)
    run = Run(
        preset="vit-ti0",
        digest="0" * 64,
        seed=1,
        generations=2,
        children=1,
        done=2,
        processor="any",
        cores=2,
        seen=later,
    )
    before = repo.objects.commit(head.commit)
    commit = replace(before, parents=(head.commit,), iteration=before.iteration + 1, run=run)
    repo.refs.append("cats", repo.objects.put(commit), after=head)
    return snapshot


def test_a_commit_needs_them(repo: Repository, seen: str) -> None:
    commit = load_system(repo).heads["cats"].commit
    assert commit.snapshots == (commit.snapshot, seen)
    assert ("snapshot", seen) in needs(commit)
    assert fsck(repo).problems == ()


def test_a_garbage_collection_keeps_them(repo: Repository, seen: str) -> None:
    for file in repo.path.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - 86400 * 30,) * 2)
    collect(here(open_repository(repo.worktree)), dry_run=False)
    assert repo.objects.has("snapshot", seen)


def test_a_check_misses_them(repo: Repository, seen: str) -> None:
    repo.store.delete(object_key("snapshot", seen))
    (problem,) = fsck(open_repository(repo.worktree)).problems
    assert problem.object == f"snapshot/{seen}"


def test_a_push_sends_them(repo: Repository, seen: str, tmp_path: Path) -> None:
    origin = Remote(name="origin", url=str(tmp_path / "shared"))
    push(repo, origin, tasks=["cats"])
    assert there(origin).objects.has("snapshot", seen)
    assert outcomes(push(repo, origin)) == {"cats": "unchanged", "dogs": "new"}
    assert fsck(there(origin)).problems == ()


def test_none_names_what_readers_of_the_task_may_not_see(repo: Repository) -> None:
    assert set(repo.objects.snapshot(see(repo, AccessRule.only(["dogs"]))).heads) == {"cats"}
