"""The name of a group cannot be taken by a private task that somebody else made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import AccessRule, Task
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository, sample_task
from mu2net_core.testing.worlds.sharing import broken, model_of, outcomes

TEAM = "team-a"


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    """Returns a remote with two tasks of a group, and one of everybody's."""
    repo = sample_repository(tmp_path / "shared", bare=True)
    for task in ("cats", "dogs"):
        add_sample_task(repo, task, AccessRule.only([TEAM]))
        evolve_sample(repo, task, score=0.5, seed=ord(task[0]))
    add_sample_task(repo, "open")
    return repo


@pytest.fixture
def bob(shared: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a clone; since it was made, a task was added there."""
    made = clone(str(shared.path), tmp_path / "bob", context, readers=[TEAM])
    add_sample_task(shared, "later")
    return open_repository(made.path)


def private(name: str) -> Task:
    return sample_task(name, AccessRule.only([name]))


def works_together(repo: Repository) -> bool:
    """Returns whether tasks of the group may still use each other's models."""
    system = load_system(open_repository(repo.path))
    return system.may_use("cats", repo.objects.model(model_of(repo, "dogs")))


def test_a_private_task_called_so_stays_out_and_all_else_arrives(
    bob: Repository, evil: Writer, context: Context
) -> None:
    evil.move(TEAM, evil.first(TEAM, private(TEAM)))
    for _ in range(2):
        pulled = pull(bob, context)
        assert list(broken(pulled)) == [f"task {TEAM}"]
        assert "cats names a group that is called so as a reader" in broken(pulled)[f"task {TEAM}"]
        assert bob.refs.tasks() == ("cats", "dogs", "later", "open")
    assert works_together(bob)
    assert fsck(bob).problems == ()


def test_so_it_does_where_both_arrive_together(
    shared: Repository, evil: Writer, context: Context, tmp_path: Path
) -> None:
    evil.move(TEAM, evil.first(TEAM, private(TEAM)))
    made = clone(str(shared.path), tmp_path / "new", context, readers=[TEAM])
    assert list(broken(made)) == [f"task {TEAM}"]
    new = open_repository(made.path)
    assert new.refs.tasks() == ("cats", "dogs", "open")
    assert works_together(new)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_known_task_cannot_become_private_under_the_name_of_a_group(
    shared: Repository, evil: Writer, context: Context, tmp_path: Path, hidden: bool
) -> None:
    evil.move(TEAM, evil.first(TEAM))
    made = clone(str(shared.path), tmp_path / "new", context, readers=[TEAM])
    assert made.is_whole
    new = open_repository(made.path)
    evil.move(TEAM, replace(evil.next(TEAM), task_id=evil.put(private(TEAM))))
    if hidden:
        evil.move(TEAM, replace(evil.next(TEAM), task_id=evil.put(sample_task(TEAM))))
    assert list(broken(pull(new, context))) == [f"task {TEAM}"]
    assert works_together(new)


def test_one_that_is_named_on_purpose_is_taken(bob: Repository, evil: Writer, context: Context) -> None:
    evil.move(TEAM, evil.first(TEAM, private(TEAM)))
    reason = broken(pull(bob, context))[f"task {TEAM}"]
    command = reason.rpartition("but this task: ")[2].split()
    assert command == ["mu2net", "pull", "origin", TEAM]
    assert outcomes(pull(bob, context, "origin", [TEAM]))[TEAM] == "new"
    assert pull(bob, context).is_whole


def test_a_private_task_whose_name_is_no_groups_is_taken(bob: Repository, evil: Writer, context: Context) -> None:
    evil.move("mine", evil.first("mine", private("mine")))
    assert outcomes(pull(bob, context))["mine"] == "new"


def test_nobody_calls_a_private_task_so_by_mistake(bob: Repository, context: Context) -> None:
    with pytest.raises(InvalidInputError, match="cats names a group that is called so as a reader"):
        add_task(bob, context, "npz:none.npz", TaskOptions(name=TEAM, private=True))
