from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.objects import AccessRule, encode
from mu2net_core.repo import Repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.tombstones import Purged, is_purge, redacted_task
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_tombstone

A, B = "a" * 64, "b" * 64
NOW = "2026-01-02T03:04:05.678901+00:00"


def stone(task: str = "cats", *, through: int = 1, roots: tuple[str, ...] = (A,), objects: tuple[str, ...] = ()):
    return replace(sample_tombstone(task, through, roots=roots), objects=objects)


def test_tombstones_are_kept_in_order(repo: Repository) -> None:
    assert not Purged.read(repo.refs)
    first, second = stone(), stone(through=2)
    assert repo.refs.create_tombstone(first) == "refs/purged/cats/00000001"
    assert repo.refs.create_tombstone(second) == "refs/purged/cats/00000002"
    assert repo.refs.create_tombstone(stone("cats/big")) == "refs/purged/cats/big/00000001"
    assert repo.refs.tombstones() == ({"cats": (first, second), "cats/big": (stone("cats/big"),)}, {})
    assert fsck(repo).is_clean


def test_the_same_tombstone_twice_is_one(repo: Repository) -> None:
    assert repo.refs.create_tombstone(stone()) == repo.refs.create_tombstone(stone())
    assert len(repo.refs.tombstones()[0]["cats"]) == 1


def test_what_was_listed_may_be_gone_and_must_not_come_back() -> None:
    purged = Purged([stone(objects=(f"commit/{A}", f"component/{B}", f"task/{B}"))])
    assert purged.tasks == {"cats"}
    assert purged.lists(("component", B)) == purged.forbids(("component", B)) == "cats"
    assert purged.lists(("component", A)) is purged.forbids(("component", A)) is None


def test_the_same_data_may_be_added_again_on_purpose() -> None:
    purged = Purged([stone(objects=(f"task/{B}",))])
    assert purged.lists(("task", B)) == "cats"
    assert purged.forbids(("task", B)) is None


def test_work_on_top_of_purged_history_is_recognised(repo: Repository) -> None:
    begun = add_sample_task(repo, "cats").commit
    later = evolve_sample(repo, "cats", score=0.5).commit
    other = add_sample_task(repo, "dogs").commit
    purged = Purged([stone(roots=(begun,))])
    assert purged.covers_commit(repo.objects, later) == purged.covers_commit(repo.objects, begun) == "cats"
    assert purged.covers_commit(repo.objects, other) is None
    assert Purged().covers_commit(repo.objects, later) is None


def test_history_that_is_gone_ends_the_search(repo: Repository) -> None:
    begun = add_sample_task(repo, "cats").commit
    later = evolve_sample(repo, "cats", score=0.5).commit
    repo.store.delete(f"objects/commit/{begun[:2]}/{begun[2:]}.json")
    fresh = Repository(repo.path, repo.config)
    assert Purged([stone(roots=(begun,))]).covers_commit(fresh.objects, later) == "cats"
    assert Purged([stone(roots=(B,))]).covers_commit(fresh.objects, later) is None


def test_entries_up_to_the_last_purge_may_name_nothing() -> None:
    purged = Purged([stone(through=3), stone(through=2)])
    assert [purged.covers_entry("cats", number) for number in (1, 3, 4)] == [True, True, False]
    assert not purged.covers_entry("dogs", 1)


def test_a_redacted_task_tells_the_rule_and_nothing_of_the_data(repo: Repository) -> None:
    task = redacted_task("cats", AccessRule.only(["team"]))
    assert repo.objects.task(repo.objects.put(task)) == task
    assert (task.name, task.access, task.output.labels) == ("cats", AccessRule.only(["team"]), ("purged",))
    assert encode(task) == encode(redacted_task("cats", AccessRule.only(["team"])))
    assert not is_purge(repo.objects.commit(add_sample_task(repo, "dogs").commit))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", encode(stone("dogs")), encode(stone()) + b" ", encode(stone()).replace(b"aaaa", b"AAAA")],
    ids=["empty", "nothing", "of another task", "not canonical", "no id"],
)
def test_a_damaged_tombstone_is_refused_and_reported(repo: Repository, data: bytes) -> None:
    repo.store.create("refs/purged/cats/00000001", data)
    with pytest.raises(CorruptObjectError, match="refs/purged/cats/00000001"):
        Purged.read(repo.refs)
    assert [problem.object for problem in fsck(repo).problems] == ["refs/purged/cats/00000001"]


def test_a_tombstone_of_a_future_format_is_refused_as_such(repo: Repository) -> None:
    repo.store.create("refs/purged/cats/00000001", b'{"format":2}')
    with pytest.raises(InvalidInputError, match="a future format"):
        Purged.read(repo.refs)
