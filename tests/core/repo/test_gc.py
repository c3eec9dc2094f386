from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, StorageError
from mu2net_core.objects import Snapshot, object_key
from mu2net_core.repo import ObjectDatabase, Refs, Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.tombstones import Purged
from mu2net_core.repo.upkeep.dropped import GRACE
from mu2net_core.repo.upkeep.gc import GcReport, collect
from mu2net_core.repo.upkeep.place import Place, here
from mu2net_core.repo.upkeep.reachable import Tips, reach, ref_tips
from mu2net_core.repo.upkeep.sweep import delete_unless_newer, time_there
from mu2net_core.storage import Store
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_task
from mu2net_core.testing.servers.wrappers import FaultyStore, WrappedStore


def age(repo: Repository, days: float = 30) -> None:
    """Makes all files that much older."""
    for file in repo.path.rglob("*"):
        if file.is_file():
            os.utime(file, (time.time() - 86400 * days,) * 2)


def forget(repo: Repository, task: str) -> None:
    """Takes a task's refs away, as nothing but a test does."""
    for key in list(repo.store.list(f"refs/heads/{task}")):
        repo.store.delete(key)


@pytest.fixture
def zoo(repo: Repository) -> Repository:
    """Returns an old repository with a task, and what another one left behind."""
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    forget(repo, "dogs")
    age(repo)
    return open_repository(repo.worktree)


def gc(repo: Repository, store: Store | None = None, **options) -> GcReport:
    place = (
        here(repo)
        if store is None
        else Place(identity=SAMPLE_IDENTITY, store=store, refs=repo.refs, copies=(repo.objects,))
    )
    return collect(place, **{"dry_run": False, **options})


def test_a_dry_run_tells_and_deletes_nothing(zoo: Repository) -> None:
    report = gc(zoo, dry_run=True)
    assert (report.num_objects, report.num_young) == (6, 0)
    assert report.kinds == {"commit": 2, "component": 1, "model": 1, "snapshot": 1, "task": 1}
    assert report.size_bytes > 1000
    assert gc(zoo, dry_run=True) == report


def test_only_what_nobody_reaches_is_deleted(zoo: Repository) -> None:
    dry = gc(zoo, dry_run=True)
    report = gc(zoo)
    assert (report.num_objects, report.size_bytes) == (dry.num_objects, dry.size_bytes)
    after = fsck(open_repository(zoo.worktree))
    assert (after.problems, after.counts["unreachable"]) == ((), 0)
    assert gc(zoo).num_objects == 0
    assert load_system(open_repository(zoo.worktree)).heads["cats"].model is not None


def test_what_is_young_stays(zoo: Repository) -> None:
    zoo.objects.put(sample_task("birds"))
    report = gc(zoo)
    assert (report.num_objects, report.num_young) == (6, 1)


def test_age_is_by_the_clock_of_the_storage(zoo: Repository) -> None:
    assert abs(time_there(zoo.store).timestamp() - time.time()) < 60
    assert gc(zoo, grace=timedelta(days=40), dry_run=True).num_objects == 0


def test_every_entry_of_a_log_holds_what_it_names(repo: Repository) -> None:
    add_sample_task(repo, "cats")
    first = evolve_sample(repo, "cats", score=0.5)
    state = repo.refs.head("cats")
    lone = replace(repo.objects.commit(first.commit), parents=(), message="reset")
    repo.refs.append("cats", repo.objects.put(lone), after=state)
    age(repo)
    assert gc(open_repository(repo.worktree)).num_objects == 0


def test_tags_and_roots_hold_what_they_name(zoo: Repository) -> None:
    head = add_sample_task(zoo, "birds")
    zoo.refs.create_tag("v1", zoo.objects.put(Snapshot(heads={"birds": head.commit}, roots={})))
    forget(zoo, "birds")
    age(zoo)
    report = gc(open_repository(zoo.worktree))
    assert report.kinds["commit"] == 2
    assert zoo.objects.has("commit", head.commit)
    assert fsck(open_repository(zoo.worktree)).problems == ()


def test_what_the_caller_holds_stays(zoo: Repository) -> None:
    model = next(oid for oid in zoo.objects.ids("model") if zoo.objects.model(oid).task == "dogs")
    held = Tips(models=frozenset([model]))
    assert gc(zoo, also=lambda: held).kinds == {"commit": 2, "snapshot": 1}
    assert zoo.objects.has("component", zoo.objects.model(model).component("head").id)


@pytest.mark.parametrize("spoil", ["commit", "entry", "ref of the future", "missing"])
def test_if_what_must_stay_is_unknown_nothing_is_deleted(zoo: Repository, spoil: str) -> None:
    head = zoo.refs.head("cats")
    key = object_key("commit", zoo.objects.commit(head.commit).parents[0])
    if spoil == "missing":
        zoo.store.delete(key)
    elif spoil == "ref of the future":
        zoo.store.create("refs/branches/main", b"x")
    else:
        zoo.store.local_path(key if spoil == "commit" else "refs/heads/cats/00000001").write_bytes(b"{")
    before = sorted(zoo.store.list("objects"))
    with pytest.raises(CorruptObjectError) as error:
        gc(open_repository(zoo.worktree))
    assert "fsck" in str(error.value)
    left = sorted(zoo.store.list("objects"))
    assert left == before or spoil == "commit"  # the damaged one was set aside


def during_sweep(zoo: Repository, action: Callable[[], None], method: str = "delete") -> GcReport:
    """Collects garbage, and acts right before its first deletion."""

    class Meanwhile(WrappedStore):
        def before(self, called: str, key: str) -> None:
            nonlocal action
            if called == method and "objects/" in key:
                act, action = action, lambda: None
                act()

    return gc(zoo, Meanwhile(zoo.store))


def test_what_a_push_writes_anew_meanwhile_stays(zoo: Repository) -> None:
    doomed = [key for key in zoo.store.list("objects") if key not in reachable_keys(zoo)]

    def push() -> None:
        for key in doomed:
            zoo.store.refresh(key, zoo.store.read(key))

    assert during_sweep(zoo, push).num_objects == 0
    assert set(doomed) <= set(zoo.store.list("objects"))


def reachable_keys(repo: Repository) -> set[str]:
    place = here(repo)
    return {object_key(*node) for node in reach(place, ref_tips(place, Purged()), Purged())}


def test_what_a_ref_came_to_name_meanwhile_stays(zoo: Repository) -> None:
    commits = [oid for oid in zoo.objects.ids("commit") if zoo.objects.commit(oid).task == "dogs"]
    newest = next(oid for oid in commits if zoo.objects.commit(oid).parents)

    def watch(what: str, _done: int) -> None:
        if what == "looking at ages":
            zoo.refs.append("dogs", newest, after=None)

    assert gc(zoo, watch=watch).num_objects == 0
    assert fsck(open_repository(zoo.worktree)).problems == ()


def test_killed_anywhere_it_loses_nothing(zoo: Repository, tmp_path: Path) -> None:
    for at in range(1, 40):
        folder = tmp_path / str(at)
        shutil.copytree(zoo.worktree, folder)
        copy = open_repository(folder)
        age(copy)
        try:
            gc(copy, FaultyStore(copy.store, at=at, when="after" if at % 2 else "before"))
        except StorageError:
            assert fsck(open_repository(folder)).problems == ()
            assert gc(open_repository(folder)).num_young == 0
            assert fsck(open_repository(folder)).counts["unreachable"] == 0
        else:
            assert at > 6
            return
    pytest.fail("it never finished")


def test_a_file_that_lost_its_name_to_a_killed_sweep_gets_it_back(zoo: Repository) -> None:
    key = object_key("commit", zoo.refs.head("cats").commit)
    file = zoo.store.local_path(key)
    file.rename(file.with_name(f".gc-{file.name}"))
    gc(zoo)
    assert fsck(open_repository(zoo.worktree)).problems == ()


def test_a_file_written_anew_while_it_is_deleted_stays(zoo: Repository) -> None:
    key = next(key for key in zoo.store.list("objects/component"))

    class Late(WrappedStore):
        def before(self, method: str, name: str) -> None:
            if method == "delete":
                zoo.store.refresh(name, zoo.store.read(name))

    assert delete_unless_newer(Late(zoo.store), key, time_there(zoo.store) - GRACE) is None
    assert zoo.store.exists(key)


def test_unfinished_files_and_damaged_copies_go_too(zoo: Repository) -> None:
    old = zoo.path / "objects/component/.tmp-1"
    new = zoo.path / "objects/component/.tmp-2"
    aside = zoo.path / "state/corrupt/component-1"
    aside.parent.mkdir(parents=True, exist_ok=True)
    for file in (old, new, aside):
        file.write_bytes(b"x")
    os.utime(old, (1, 1))
    os.utime(aside, (1, 1))
    assert gc(zoo, dry_run=True).num_leftovers == 2
    assert gc(zoo).num_leftovers == 2
    assert [old.exists(), new.exists(), aside.exists()] == [False, True, False]


def test_without_the_right_to_delete_it_says_so_and_nothing_breaks(zoo: Repository) -> None:
    class AppendOnly(WrappedStore):
        def delete(self, key: str) -> None:
            raise AccessDeniedError(f"Cannot delete {key}.")

    with pytest.raises(AccessDeniedError, match="deleting is not allowed") as error:
        gc(zoo, AppendOnly(zoo.store))
    assert "Nothing is broken" in error.value.hint
    assert fsck(open_repository(zoo.worktree)).problems == ()


def test_elsewhere_manifests_that_are_here_are_not_read_again(zoo: Repository) -> None:
    class Elsewhere(WrappedStore):
        def local_path(self, key: str) -> None:
            return None

    store = Elsewhere(zoo.store)
    place = Place(identity=SAMPLE_IDENTITY, store=store, refs=Refs(store), copies=(zoo.objects, ObjectDatabase(store)))
    assert collect(place, dry_run=False).num_objects == 6
    assert not [key for method, key in store.log if method == "read" and "objects/" in key]
    assert fsck(open_repository(zoo.worktree)).counts["unreachable"] == 0


def test_storing_what_is_there_already_makes_it_new(zoo: Repository) -> None:
    dogs = next(zoo.objects.model(oid) for oid in zoo.objects.ids("model") if zoo.objects.model(oid).task == "dogs")
    zoo.objects.put_bytes("component", zoo.objects.read("component", dogs.component("head").id))
    assert "component" not in gc(zoo).kinds


def test_a_tag_needs_no_head_that_its_snapshot_replaces(zoo: Repository) -> None:
    """What a base named may never have been shared: only the base may have come along."""
    cats, roots = zoo.refs.head("cats"), dict(zoo.refs.roots())
    assert cats is not None
    base = zoo.objects.put(Snapshot(heads={"cats": "ab" * 32}, roots=roots))
    zoo.refs.create_tag("v1", zoo.objects.put(Snapshot(heads={"cats": cats.commit}, roots=roots, base=base)))
    assert fsck(zoo).problems == ()
    collect(here(zoo))
    zoo.refs.create_tag("v2", base)
    with pytest.raises(CorruptObjectError, match="is missing"):
        collect(here(zoo))
