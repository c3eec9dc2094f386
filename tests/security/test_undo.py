"""Bringing back what was set aside because others purged it: for how long that can be done, and what if one dies."""

from __future__ import annotations

import shutil
from datetime import datetime
from itertools import count
from unittest import mock

import pytest

from mu2net_core.api.looking.reflog import reflog
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import clone, pull, purge, push, remote
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.upkeep.gc import GcReport, gc
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule, object_key
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.tombstones import is_purge
from mu2net_core.repo.history.merging import contains
from mu2net_core.repo.upkeep.sweep import delete_unless_newer
from mu2net_core.storage import Store
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.servers.interception import Crash, Plan, dies
from mu2net_core.testing.worlds.schedules import NIGHTLY
from mu2net_core.testing.worlds.world import World

STRIDES = {"follow": 11, "undo": 3}
TASK = "pub-a"
_OLD_S = 30 * 86_400
"""So old is all there is when a test begins: only what is needed, or set aside, outlives a collection of garbage."""


@pytest.fixture(scope="module")
def purged(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Returns a working copy that follows purges, and a remote from which one of its two tasks was purged."""
    with mock.patch("os.fsync"):
        world = World(tmp_path_factory.mktemp("undo") / "world", clones=1)
        for task in (TASK, "pub-b"):
            world.add(0, task)
            world.evolve(0, task, 0.5, None, ["head"])
        world.push(0)
        Forger.into(world.open(0).config.remotes["origin"]).whole_purge(TASK)
        world.pass_time(_OLD_S)
    shutil.copytree(world.folder, world.folder.with_name("template"))
    return world


@pytest.fixture
def world(purged: World) -> World:
    return restored(purged)


def restored(world: World) -> World:
    """Returns the world as it was made."""
    shutil.rmtree(world.folder)
    shutil.copytree(world.folder.with_name("template"), world.folder)
    world.inspector.refs.clear()
    world.moved.clear()
    world.elapsed_s = _OLD_S
    return world


def state_of(repo: Repository) -> dict[str, bytes]:
    """Returns the bytes of every object, and of the entries of heads."""
    return {key: repo.store.read(key) for folder in ("objects", "refs/heads") for key in repo.store.list(folder)}


def drop(world: World) -> str:
    """Lets the working copy follow the purge; returns where the head of the task stood."""
    tip = world.open(0).refs.head(TASK).commit
    reports = {report.task: report for report in pull.pull(world.open(0), world.context(0), "origin").tasks}
    assert reports[TASK].outcome == "removed"
    return tip


def undo(world: World) -> str:
    return purge.undo(world.open(0), world.context(0), TASK).commit_id


def collected(world: World, days: float) -> GcReport:
    world.pass_time(86_400 * days)
    return gc(world.open(0), world.context(0), dry_run=False)


def test_it_comes_back_byte_by_byte(world: World) -> None:
    before = state_of(world.open(0))
    model = world.open(0).objects.commit(world.open(0).refs.head(TASK).commit).model
    tip = drop(world)
    assert is_purge(world.open(0).objects.commit(world.open(0).refs.head(TASK).commit))
    undo(world)
    repo = world.open(0)
    assert before.items() <= state_of(repo).items()
    commit = repo.objects.commit(repo.refs.head(TASK).commit)
    assert (commit.model, commit.task_id, commit.removed) == (model, repo.objects.commit(tip).task_id, False)
    assert tip in commit.parents
    assert any(is_purge(repo.objects.commit(oid)) for oid in commit.parents)
    assert repo.refs.every_tombstone() == ()
    assert not list(repo.store.list("state/purged"))
    assert fsck(repo).problems == ()


def test_and_is_not_dropped_again_nor_sent_there(world: World) -> None:
    drop(world)
    commit = undo(world)
    for _ in range(2):
        reports = {report.task: report for report in world.pull(0).tasks}
        assert (reports[TASK].outcome, world.open(0).refs.head(TASK).commit) == ("skipped", commit)
        assert {report.task: report.outcome for report in world.push(0).tasks}[TASK] == "skipped"
    world.evolve(0, TASK, 0.9, None, ["head"])
    assert contains(world.open(0).objects, world.open(0).refs.head(TASK).commit, commit)


def test_within_the_grace_gc_keeps_it_and_says_until_when(world: World) -> None:
    drop(world)
    before = state_of(world.open(0))
    report = collected(world, 13)
    (waiting,) = report.set_aside
    assert (report.num_objects, waiting.task) == (0, TASK)
    assert waiting.num_objects == 6  # two commits, a task, a snapshot, a model and its head
    assert before.items() <= state_of(world.open(0)).items()
    undo(world)


def test_after_the_grace_it_goes_and_nothing_brings_it_back(world: World) -> None:
    tip = drop(world)
    assert collected(world, 15).num_objects == 6
    assert not world.open(0).objects.has("commit", tip)
    assert not list(world.open(0).store.list("state/purged"))
    assert fsck(world.open(0)).problems == ()
    with pytest.raises(NotFoundError, match=f"Nothing of {TASK} is set aside"):
        undo(world)
    world.check()


@pytest.mark.parametrize("deleted", [1, 4])
def test_what_a_killed_gc_left_of_it_is_not_brought_back(
    world: World, monkeypatch: pytest.MonkeyPatch, deleted: int
) -> None:
    tip = drop(world)
    world.pass_time(86_400 * 15)
    calls = count()

    def delete(store: Store, key: str, limit: datetime) -> int | None:
        if key == object_key("commit", tip):  # whose turn comes last, for once
            return None
        if next(calls) == deleted:
            raise Crash
        return delete_unless_newer(store, key, limit)

    monkeypatch.setattr("mu2net_core.repo.upkeep.gc.delete_unless_newer", delete)
    with pytest.raises(Crash):
        gc(world.open(0), world.context(0), dry_run=False)
    with pytest.raises(NotFoundError, match=f"Nothing of {TASK} is set aside"):
        undo(world)
    assert fsck(world.open(0)).problems == ()


def test_whoever_purges_it_here_too_waits_for_nothing(world: World) -> None:
    tip = drop(world)
    purge.purge(world.open(0), world.context(0), TASK)
    assert not world.open(0).objects.has("commit", tip)
    assert status(world.open(0), world.context(0)).set_aside == ()
    with pytest.raises(NotFoundError, match="is set aside"):
        undo(world)


def test_added_again_since_it_is_not_overwritten(world: World) -> None:
    drop(world)
    world.add(0, TASK)
    head = world.open(0).refs.head(TASK)
    with pytest.raises(NotFoundError, match="was added again after it was dropped here"):
        undo(world)
    assert world.open(0).refs.head(TASK) == head


def test_purged_once_more_it_comes_back_as_it_was_before_both(world: World) -> None:
    before = world.open(0).objects.commit(drop(world))
    Forger.into(world.open(0).config.remotes["origin"]).whole_purge(TASK, AccessRule(readers=("somebody",)))
    world.pull(0)
    undo(world)
    repo = world.open(0)
    commit = repo.objects.commit(repo.refs.head(TASK).commit)
    assert (commit.model, commit.task_id, commit.removed) == (before.model, before.task_id, False)
    assert fsck(repo).problems == ()


def test_the_grace_begins_when_it_is_dropped_though_a_pull_died_long_before(world: World) -> None:
    for at in range(1, 200):
        if list(world.open(0).store.list("state/purged")):
            break
        assert dies(lambda: world.pull(0), Plan(what="crash", at=at, late=True), restored(world).path(0))
    assert not is_purge(world.open(0).objects.commit(world.open(0).refs.head(TASK).commit))
    world.pass_time(86_400 * 30)
    tip = drop(world)
    assert collected(world, 1).num_objects == 0
    assert world.open(0).objects.has("commit", tip)
    undo(world)


def test_what_was_never_set_aside_is_not_brought_back(world: World) -> None:
    for task in ("pub-b", "nothing"):
        with pytest.raises(NotFoundError, match=f"Nothing of {task} is set aside"):
            purge.undo(world.open(0), world.context(0), task)


def test_a_note_that_somebody_made_up_brings_back_nothing_that_is_not_here(world: World) -> None:
    repo = world.open(0)
    repo.store.create("state/purged/" + "ab" * 16, b'{"task":"pub-b"}')
    repo.store.create("state/purged/" + "cd" * 16, b"\xff" * 100)
    assert collected(world, 0).set_aside == ()
    assert status(world.open(0), world.context(0)).set_aside == ()


def test_reset_names_the_command_and_reflog_and_status_say_what_it_is(world: World) -> None:
    tip = drop(world)
    with pytest.raises(InvalidInputError, match="it was purged by others, and is set aside here") as error:
        reset(world.open(0), world.context(0), TASK, tip)
    assert error.value.hint == f"To bring it back: mu2net rm-task {TASK} --undo"
    assert [entry.state for entry in reflog(world.open(0), TASK)] == ["kept", "set-aside", "set-aside"]
    assert status(world.open(0), world.context(0)).set_aside == (TASK,)
    undo(world)
    assert {entry.state for entry in reflog(world.open(0), TASK)} == {"kept"}
    assert status(world.open(0), world.context(0)).set_aside == ()


@pytest.mark.parametrize("what", ["follow", "undo"])
def test_killed_anywhere_nothing_is_lost_and_the_same_command_goes_on(purged: World, what: str) -> None:
    stride, num_deaths = 1 if NIGHTLY else STRIDES[what], 0
    for at in range(1, 3_000, stride):
        world = restored(purged)
        before = state_of(world.open(0))
        if what == "undo":
            drop(world)
        command = world.pull if what == "follow" else lambda _, world=world: undo(world)
        if not dies(lambda: command(0), Plan(what="crash", at=at, late=bool(at % 2)), world.path(0)):  # noqa: B023
            break
        num_deaths += 1
        assert fsck(world.open(0)).problems == (), at
        world.pass_time(1)
        gc(world.open(0), world.context(0), dry_run=False)
        assert before.items() <= state_of(world.open(0)).items(), at
        if what == "follow":
            world.pull(0)
        try:
            undo(world)
        except NotFoundError:
            assert what == "undo", at  # it died after the last thing it had to do
        assert before.items() <= state_of(world.open(0)).items(), at
        repo = world.open(0)
        assert (repo.refs.every_tombstone(), repo.objects.commit(repo.refs.head(TASK).commit).removed) == ((), False), (
            at
        )
        assert fsck(repo).problems == (), at
    print(f"{what}: died {num_deaths} times, of {at} calls")
    assert num_deaths > 3


def test_brought_back_it_goes_to_another_remote_and_to_who_clones_that(world: World) -> None:
    drop(world)
    commit = undo(world)
    elsewhere = world.folder / "elsewhere"
    remote.add(world.open(0), world.context(0), "elsewhere", str(elsewhere))
    push.push(world.open(0), world.context(0), "elsewhere")
    result = clone.clone(str(elsewhere), world.folder / "copy", world.context(0))
    assert {report.task: report.outcome for report in result.tasks} == {TASK: "new", "pub-b": "new"}
    copy = open_repository(result.path)
    assert copy.refs.head(TASK).commit == commit
    assert {report.task: report.outcome for report in pull.pull(copy, world.context(0), "origin").tasks}[
        TASK
    ] == "up-to-date"
