from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, NotFoundError, StorageError
from mu2net_core.objects import AccessRule, Agent, Snapshot, object_key
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.epoch import current_epoch, is_current
from mu2net_core.repo.core.tombstones import PURGED_SOURCE, Purged, is_purge
from mu2net_core.repo.upkeep.place import here
from mu2net_core.repo.upkeep.purge_survey import survey
from mu2net_core.repo.upkeep.purging import PurgeReport, bury, store_purge_commit
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_task
from mu2net_core.testing.servers.wrappers import FaultyStore, WrappedStore

NOW = "2026-01-02T03:04:05.678901+00:00"
AGENT = Agent(id="0" * 32, host="test", device="none")


@pytest.fixture
def zoo(repo: Repository) -> Repository:
    """Returns a repository with two tasks that learned nothing from each other."""
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    evolve_sample(repo, "cats", score=0.6, seed=7)
    return repo


def purge(repo: Repository, task: str = "cats", **options) -> PurgeReport:
    place = here(repo)
    store_commit = partial(store_purge_commit, place, agent=AGENT, now=NOW)
    return bury(place, task, store_commit, now=NOW, **options)


def reopened(repo: Repository, store=None) -> Repository:
    fresh = open_repository(repo.worktree)
    if store is not None:
        fresh.store = fresh.objects.store = fresh.refs.store = store
    return fresh


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_nothing_of_the_data_is_left(zoo: Repository) -> None:
    assert b"/data/cats.npz" in all_bytes(zoo.path)
    model = zoo.objects.model(load_system(zoo).heads["cats"].commit.model)
    arrays = zoo.objects.component(model.component("head").id).params["kernel"].tobytes()
    assert arrays in all_bytes(zoo.path)
    report = purge(zoo)
    left = all_bytes(zoo.path)
    assert b"/data/cats.npz" not in left
    assert arrays not in left
    assert b"/data/dogs.npz" in left
    assert (report.task, report.holders) == ("cats", ())
    assert report.num_objects == 10  # 3 commits, 1 task, 2 models, 2 heads, 2 snapshots
    assert report.size_bytes > 1000


def test_the_task_looks_removed_and_the_rest_is_whole(zoo: Repository) -> None:
    dogs = load_system(zoo).heads["dogs"]
    report = purge(zoo)
    fresh = reopened(zoo)
    assert fsck(fresh).problems == ()
    assert load_system(fresh).heads == {"dogs": dogs}
    commit = fresh.objects.commit(report.commit)
    assert is_purge(commit)
    assert fresh.objects.task(commit.task_id).source == PURGED_SOURCE
    assert [state.number for state in fresh.refs.log("cats")] == [1, 2, 3, 4]
    assert {ref.id for ref in dogs.model.components} <= set(fresh.objects.ids("component"))


def test_a_tombstone_says_what_must_not_come_back(zoo: Repository) -> None:
    log = zoo.refs.log("cats")
    model = load_system(zoo).heads["cats"].commit.model
    purge(zoo)
    purged = Purged.read(zoo.refs)
    assert purged.forbids(("model", model)) == purged.forbids(("commit", log[-1].commit)) == "cats"
    assert purged.covers_entry("cats", 3)
    assert not purged.covers_entry("cats", 4)
    assert purged.covers_commit(reopened(zoo).objects, log[0].commit) == "cats"
    assert purged.covers_commit(zoo.objects, zoo.refs.head("cats").commit) is None


def test_what_others_learned_stays_and_is_told(zoo: Repository) -> None:
    cats = load_system(zoo).heads["cats"]
    evolve_sample(zoo, "dogs", score=0.7, parent=cats.commit.model, trains=("embedding",), seed=9)
    report = purge(zoo)
    assert report.holders == ("dogs",)
    dogs = load_system(reopened(zoo)).heads["dogs"].model
    assert dogs.component("head").id == cats.model.component("head").id
    for ref in dogs.components:
        reopened(zoo).objects.read("component", ref.id)
    assert fsck(zoo).problems == ()


def test_the_rule_of_what_it_taught_stays(zoo: Repository) -> None:
    add_sample_task(zoo, "secret", AccessRule.only(["secret", "team"]))
    purge(zoo, "secret")
    assert load_system(reopened(zoo)).rules["secret"] == AccessRule.only(["secret", "team"])


def test_a_new_epoch_tells_pushers_to_look(zoo: Repository) -> None:
    old = current_epoch(zoo.store)
    purge(zoo)
    assert not is_current(zoo.store, old)


def test_a_tag_that_names_it_stays_without_it(zoo: Repository) -> None:
    heads = {task: state.commit for task, state in zoo.refs.heads().items()}
    zoo.refs.create_tag("v1", zoo.objects.put(Snapshot(heads=heads, roots=dict(zoo.refs.roots()))))
    evolve_sample(zoo, "cats", score=0.8, seed=11)
    purge(zoo)
    assert fsck(reopened(zoo)).problems == ()
    assert not zoo.objects.has("commit", heads["cats"])
    assert zoo.objects.has("commit", heads["dogs"])


def test_what_was_never_published_goes_too(zoo: Repository) -> None:
    stray = zoo.objects.model(load_system(zoo).heads["cats"].commit.model)
    lost = zoo.objects.put(replace(stray, seed=99))
    purge(zoo)
    assert not zoo.objects.has("model", lost)


def test_damaged_copies_set_aside_go_too(zoo: Repository) -> None:
    model = zoo.objects.model(load_system(zoo).heads["cats"].commit.model)
    oid = model.component("head").id
    zoo.store.create(f"state/corrupt/component-{oid}.zarr.zip", b"damaged cats")
    zoo.store.create("state/corrupt/objects-component-" + object_key("component", oid)[18:].replace("/", "-"), b"more")
    purge(zoo)
    assert list(zoo.store.list("state/corrupt")) == []


def test_again_takes_away_what_is_left(zoo: Repository) -> None:
    purge(zoo)
    again = purge(zoo)
    assert again.num_objects == 0
    assert len(zoo.refs.log("cats")) == 4
    assert len(zoo.refs.tombstones()[0]["cats"]) == 1


def test_a_task_added_again_and_purged_again(zoo: Repository) -> None:
    first = purge(zoo).commit
    state = zoo.refs.head("cats")
    commit = zoo.objects.commit(first)
    again = replace(
        commit, parents=(first,), removed=False, task_id=zoo.objects.put(sample_task("cats")), message="add"
    )
    zoo.refs.append("cats", zoo.objects.put(again), after=state)
    assert "cats" in load_system(zoo).heads
    assert fsck(zoo).problems == ()
    second = purge(zoo).commit
    assert second != first
    assert fsck(reopened(zoo)).problems == ()
    assert b"/data/cats.npz" not in all_bytes(zoo.path)
    assert b"/data/dogs.npz" in all_bytes(zoo.path)


def test_pushes_under_way_are_waited_for_and_what_they_brought_goes_too(zoo: Repository) -> None:
    def settle() -> None:
        zoo.objects.put(sample_task("cats", AccessRule.only(["x"])))

    purge(zoo, settle=settle)
    assert b"/data/cats.npz" not in all_bytes(zoo.path)


def test_what_somebody_else_came_to_need_meanwhile_stays(zoo: Repository) -> None:
    cats = load_system(zoo).heads["cats"]

    def settle() -> None:
        evolve_sample(zoo, "dogs", score=0.7, parent=cats.commit.model, trains=("embedding",), seed=9)

    report = purge(zoo, settle=settle)
    assert report.holders == ("dogs",)
    assert fsck(reopened(zoo)).problems == ()


def test_nothing_is_deleted_if_what_others_need_is_unknown(zoo: Repository) -> None:
    dogs = zoo.refs.head("dogs")
    zoo.store.local_path(object_key("commit", dogs.commit)).write_bytes(b"{}")
    before = set(zoo.objects.ids("component"))
    with pytest.raises(CorruptObjectError):
        purge(reopened(zoo))
    assert set(zoo.objects.ids("component")) == before


def test_without_the_right_to_delete_it_is_marked_and_said(zoo: Repository) -> None:
    class AppendOnly(WrappedStore):
        def delete(self, key: str) -> None:
            raise AccessDeniedError(f"Cannot delete {key}.")

    with pytest.raises(AccessDeniedError, match=r"cats is marked as purged .*could not be deleted") as error:
        purge(reopened(zoo, AppendOnly(zoo.store)))
    assert "may delete" in error.value.hint
    assert fsck(reopened(zoo)).problems == ()
    assert "cats" not in load_system(reopened(zoo)).heads
    assert purge(reopened(zoo)).num_objects == 10


def test_an_unknown_task(zoo: Repository) -> None:
    with pytest.raises(NotFoundError, match="no task birds"):
        purge(zoo, "birds")


def test_killed_anywhere_it_is_whole_and_goes_on(repo: Repository, tmp_path: Path) -> None:
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
    evolve_sample(repo, "cats", score=0.5)
    for at in range(1, 60):
        folder = tmp_path / str(at)
        shutil.copytree(repo.worktree, folder)
        copy = open_repository(folder)
        try:
            purge(reopened(copy, FaultyStore(copy.store, at=at, when="after" if at % 2 else "before")))
        except StorageError:
            finished = False
        else:
            finished = True
        assert fsck(open_repository(folder)).problems == (), at
        purge(open_repository(folder))
        assert fsck(open_repository(folder)).problems == (), at
        assert b"/data/cats.npz" not in all_bytes(folder), at
        if finished:
            assert at > 8
            return
    pytest.fail("it never finished")


def test_a_survey_changes_nothing(zoo: Repository) -> None:
    before = all_bytes(zoo.path)
    found = survey(here(zoo), "cats")
    assert (len(found.doomed), found.is_moved) == (10, False)
    assert all_bytes(zoo.path) == before
