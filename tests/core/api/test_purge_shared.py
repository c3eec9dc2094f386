"""A purge among people who share."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.tag import create as tag
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.sharing import outcomes

purge_there = partial(purge, remote="origin", settle=lambda: None)


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def fresh(repo: Repository) -> Repository:
    return open_repository(repo.worktree)


@pytest.fixture
def later(context: Context) -> Context:
    """Returns the context with a clock that is five minutes on at every look, so that nobody relies on the last one."""
    looks = count(1)
    return replace(context, now=lambda: context.now() + timedelta(minutes=5 * next(looks)))


@pytest.fixture
def arrays(ann: Repository) -> bytes:
    """Returns numbers that only the task a was trained to."""
    model = load_system(ann).heads["a"].model
    return ann.objects.component(model.component("head").id).params["kernel"].tobytes()


def test_an_old_clone_cannot_push_it_back(
    ann: Repository, bob: Repository, later: Context, tmp_path: Path, arrays: bytes
) -> None:
    evolve_sample(bob, "a", score=0.9, seed=90)
    evolve_sample(bob, "b", score=0.9, seed=91)
    purge_there(ann, later, "a")
    exchange = push(bob, later)
    assert outcomes(exchange) == {"a": "skipped", "b": "updated", "c": "up-to-date"}
    assert "purged" in next(report.reason for report in exchange.tasks if report.task == "a")
    left = all_bytes(tmp_path / "shared")
    assert (arrays in left, b"/data/a.npz" in left) == (False, False)
    assert fsck(open_repository(tmp_path / "shared"), later).problems == ()


def test_a_push_that_looked_just_before_finds_out_by_the_head_that_moved(
    ann: Repository, context: Context, tmp_path: Path
) -> None:
    bucket = "memory://purged/just-before"  # a folder is looked at each time
    remote.remove(ann, "origin")
    remote.add(ann, context, "origin", bucket, check=False)
    push(ann, context)
    clone(bucket, "ben", context)
    ben = open_repository(tmp_path / "ben")
    evolve_sample(ben, "a", score=0.9, seed=90)
    purge_there(ann, context, "a")
    assert outcomes(push(ben, context))["a"] == "skipped"
    assert fsck(ben, context, remote="origin").problems == ()
    assert purge_there(ann, context, "a").num_objects > 0  # what that push had sent before it found out
    store = open_store(bucket)
    assert not any(b"/data/a.npz" in store.read(key) for key in store.list(""))


def follow(repo: Repository) -> Repository:
    """Lets purges by others be followed in a working copy."""
    repo.update_config(lambda config: config.with_setting("pull.follow_purges", value=True))
    return fresh(repo)


def test_a_pull_that_follows_drops_it_and_after_a_while_nothing_is_left(
    ann: Repository, bob: Repository, later: Context, arrays: bytes
) -> None:
    bob = follow(bob)
    bob.objects.component(load_system(bob).heads["a"].model.component("head").id)
    assert arrays in all_bytes(bob.path)
    purge_there(ann, later, "a")
    pull(bob, later)
    assert sorted(load_system(fresh(bob)).heads) == ["b", "c"]
    assert gc(fresh(bob), later, dry_run=False).num_objects == 0
    gc(fresh(bob), later, dry_run=False, grace=timedelta())
    left = all_bytes(bob.path)
    assert (arrays in left, b"/data/a.npz" in left) == (False, False)
    assert fsck(fresh(bob), later).problems == ()
    assert outcomes(push(fresh(bob), later))["a"] == "up-to-date"
    assert status(fresh(bob), later).remotes[0].relations["a"] == "same"


def test_work_that_was_never_sent_is_not_dropped_silently(ann: Repository, bob: Repository, later: Context) -> None:
    evolve_sample(bob, "a", score=0.9, seed=90)
    purge_there(ann, later, "a")
    report = next(report for report in pull(bob, later).tasks if report.task == "a")
    assert (report.outcome, "purged" in report.reason) == ("skipped", True)
    assert load_system(fresh(bob)).heads["a"].model.score == 0.9


def test_work_that_was_never_sent_is_purged_here_too_and_the_task_is_shared_again(
    ann: Repository, bob: Repository, later: Context
) -> None:
    evolve_sample(bob, "a", score=0.9, seed=90)
    purge_there(ann, later, "a")
    pull(bob, later)
    purge(bob, later, "a")
    add_task(fresh(bob), later, "sklearn:digits", TaskOptions(name="a"))
    assert status(fresh(bob), later).remotes[0].relations["a"] == "conflict"
    pull(fresh(bob), later, on_conflict="ours")
    assert outcomes(push(fresh(bob), later))["a"] == "updated"
    for repo in (fresh(bob), fresh(ann)):
        assert fsck(repo, later).problems == ()


def test_purged_here_only_and_added_again_it_is_not_compared_with_what_is_gone(ann: Repository, later: Context) -> None:
    purge(ann, later, "a")
    add_task(fresh(ann), later, "sklearn:digits", TaskOptions(name="a"))
    assert status(fresh(ann), later).remotes[0].relations["a"] == "purged"


def test_what_learned_from_it_and_was_never_sent_stays_at_home(
    ann: Repository, bob: Repository, later: Context, tmp_path: Path, arrays: bytes
) -> None:
    a = load_system(bob).heads["a"].commit.model
    evolve_sample(bob, "b", score=0.9, parent=a, trains=("embedding",), seed=90)
    purge_there(ann, later, "a")
    reports = {report.task: report for report in push(bob, later).tasks}
    assert reports["b"].outcome == "skipped"
    assert "knowledge of a" in reports["b"].reason
    assert arrays not in all_bytes(tmp_path / "shared")


def test_purged_here_it_does_not_come_back_with_a_pull(ann: Repository, later: Context, arrays: bytes) -> None:
    purge(ann, later, "a")
    ann = fresh(ann)
    assert outcomes(pull(ann, later))["a"] == "skipped"
    assert "purge it there" in next(r.reason for r in push(ann, later).tasks if r.task == "a")
    left = all_bytes(ann.path)
    assert (arrays in left, b"/data/a.npz" in left) == (False, False)
    purge_there(ann, later, "a")
    assert outcomes(pull(fresh(ann), later))["a"] == "up-to-date"
    assert fsck(fresh(ann), later).problems == ()


def test_the_same_data_may_be_added_and_shared_again(
    ann: Repository, bob: Repository, later: Context, tmp_path: Path
) -> None:
    add_task(ann, later, "sklearn:digits", TaskOptions(name="d"))
    evolve_sample(ann, "d", score=0.5, seed=4)
    push(ann, later)
    bob = follow(bob)
    pull(bob, later)
    purge(ann, later, "d")
    purge_there(fresh(ann), later, "d")
    ann = fresh(ann)
    add_task(ann, later, "sklearn:digits", TaskOptions(name="d"))
    evolve_sample(ann, "d", score=0.7, seed=44)
    assert outcomes(push(ann, later))["d"] == "updated"
    pull(bob, later)
    assert load_system(fresh(bob)).heads["d"].model.score == 0.7
    for place in (ann.worktree, bob.worktree, tmp_path / "shared"):
        assert fsck(open_repository(place), later).problems == ()


def test_a_tag_that_names_it_hinders_nobody(ann: Repository, later: Context, tmp_path: Path) -> None:
    tag(ann, later, "v1")
    push(ann, later)
    purge_there(ann, later, "a")
    clone("shared", "carl", later)
    carl = open_repository(tmp_path / "carl")
    assert sorted(load_system(carl).heads) == ["b", "c"]
    assert fsck(carl, later).problems == ()
    pull(ann, later)
    assert fsck(fresh(ann), later).problems == ()
    assert push(fresh(ann), later).tasks


def test_gc_after_a_purge_finds_nothing_more(ann: Repository, later: Context) -> None:
    purge_there(ann, later, "a")
    purge(ann, later, "a")
    assert gc(fresh(ann), later).num_objects == 0
    assert gc(fresh(ann), later, remote="origin").num_objects == 0


def test_a_purge_of_all_that_was_seen_leaves_the_same_repository(
    ann: Repository, bob: Repository, later: Context
) -> None:
    for task in ("a", "b", "c"):
        purge_there(ann, later, task)
    bob = follow(bob)
    assert set(outcomes(push(bob, later)).values()) == {"skipped"}
    pull(fresh(bob), later)
    assert load_system(fresh(bob)).heads == {}


def test_a_backup_from_before_a_purge_is_purged_again_by_who_saw_it(
    ann: Repository, bob: Repository, later: Context, tmp_path: Path, arrays: bytes
) -> None:
    shutil.copytree(tmp_path / "shared", tmp_path / "backup")
    purge_there(ann, later, "a")
    pull(follow(bob), later)
    shutil.rmtree(tmp_path / "shared")
    (tmp_path / "backup").rename(tmp_path / "shared")
    assert "a tombstone of a" in push(fresh(bob), later).restored
    shared = open_repository(tmp_path / "shared")
    assert fsck(shared, later).problems == ()
    assert arrays in all_bytes(tmp_path / "shared")
    gc(fresh(bob), later, remote="origin", dry_run=False, grace=timedelta(), settle=lambda: None)
    assert (arrays in all_bytes(tmp_path / "shared"), fsck(shared, later).problems) == (False, ())
