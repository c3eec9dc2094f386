"""What becomes of a task's push when an iteration of it is over."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core import errors
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.pushing import Pushed, Pusher
from mu2net_core.api.failures import Failure, as_error
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import ConflictError, Mu2netError, NotFoundError, StorageError
from mu2net_core.events import Event, TaskPushed
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.remotes import Exchange, forget_tracking
from mu2net_core.testing.building.happenings import FINISHED, GENERATION
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def told_of(repo: Repository, context: Context) -> list[Pushed]:
    """Returns what is told of the pushes of one generation and one iteration of the task a."""
    told: list[Pushed] = []
    pusher = Pusher.to_default(repo, context, told.append)
    listen = pusher.after(lambda _event: None)
    listen(replace(GENERATION, task="a"))
    assert told == []
    listen(replace(FINISHED, task="a"))
    assert list(pusher.pushed) == told
    return told


def test_a_task_whose_iteration_is_over_is_pushed_alone(ann: Repository, context: Context) -> None:
    for task in ("a", "b"):
        evolve_sample(ann, task, score=0.9, seed=1)
    (pushed,) = told_of(ann, context)
    assert pushed.error is None
    assert pushed.exchange is not None
    assert [(one.task, one.outcome) for one in pushed.exchange.tasks] == [("a", "updated")]


def test_a_push_that_fails_is_told_and_warned_of_and_raises_nothing(
    ann: Repository, context: Context, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "shared")
    forget_tracking(ann.state, "origin")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "holiday.txt").write_text("not a repository")
    warned: list[str] = []
    (pushed,) = told_of(ann, replace(context, warn=warned.append))
    assert pushed.exchange is None
    assert pushed.error is not None
    assert (pushed.error.kind, pushed.error.exit_code) == ("invalid-input", 2)
    assert warned == [f"a is not pushed: {pushed.error.message}"]


def test_a_push_that_fails_each_time_is_warned_of_once_until_one_does_not(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remote that is full stays so for days, and an agent finishes an iteration every minute."""
    full, conflict = StorageError("It is full."), ConflictError("It is another one.")
    failures: list[Mu2netError | None] = [full, full, conflict, full, None, full]

    def fail(*_: object) -> Exchange:
        if (failure := failures.pop(0)) is not None:
            raise failure
        return Exchange(remote="origin", url="")

    monkeypatch.setattr("mu2net_core.api.evolving.pushing.push", fail)
    warned, told = list[str](), list[Pushed]()
    pusher = Pusher.to_default(ann, replace(context, warn=warned.append), told.append)
    while failures:
        pusher.push("a")
    assert [one.error is None for one in told] == [False] * 4 + [True, False]
    assert warned == [f"a is not pushed: It is {why}." for why in ("full", "another one", "full")]


def test_what_became_of_a_push_is_an_event_of_each_task_it_moved(ann: Repository, context: Context) -> None:
    commit = evolve_sample(ann, "a", score=0.9, seed=1).commit
    events: list[Event] = []
    pusher = Pusher.to_default(ann, context, lambda _pushed: None, events.append)
    pusher.push("a")
    pusher.push("a")
    assert events == [TaskPushed(task="a", remote="origin", outcome="updated", commit=commit)]


def test_a_push_that_fails_is_an_event_with_the_reason(ann: Repository, context: Context, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "shared")
    (tmp_path / "shared").write_text("no folder")
    events: list[Event] = []
    pusher = Pusher.to_default(ann, context, lambda _pushed: None, events.append)
    pusher.push("a")
    (event,) = events
    assert isinstance(event, TaskPushed)
    assert (event.task, event.outcome, event.commit) == ("a", "failed", None)
    assert pusher.pushed[0].error is not None
    assert event.reason == pusher.pushed[0].error.message


def test_iterations_that_were_not_pushed_when_they_were_over_are_pushed_later_and_no_other_work(
    ann: Repository, bob: Repository, context: Context, tmp_path: Path
) -> None:
    """Their push failed, or the process was killed before it."""
    evolve_sample(bob, "c", score=0.9, seed=3)
    push(bob, context)
    fetch(ann, context)
    evolve_sample(ann, "a", score=0.9, seed=1)
    evolve_sample(ann, "b", score=0.9, seed=2)
    add_sample_task(ann, "new")  # nobody improved it yet: whoever added it shares it when he wants to
    add_sample_task(ann, "secret", AccessRule.only(["secret"]))
    evolve_sample(ann, "secret", score=0.9)
    there = open_repository(tmp_path / "shared")
    pusher = Pusher.to_default(ann, context, lambda _pushed: None)
    pusher.push_rest(["a"])
    assert [one.task for one in pusher.pushed] == ["a"]
    pusher.push_rest()
    pusher.push_rest()
    assert [one.task for one in pusher.pushed] == ["a", "b"]
    assert {task: there.refs.head(task).commit for task in "ab"} == {task: ann.refs.head(task).commit for task in "ab"}
    assert sorted(there.refs.tasks()) == ["a", "b", "c"]


def test_what_a_remote_does_not_take_is_not_sent_to_it_again_before_it_changes(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ConflictError("not joined")

    monkeypatch.setattr("mu2net_core.api.evolving.pushing.push", refuse)
    evolve_sample(ann, "a", score=0.9, seed=1)
    pusher = Pusher.to_default(ann, context, lambda _pushed: None)
    pusher.push_rest()
    pusher.push_rest()
    assert len(pusher.pushed) == 1
    evolve_sample(ann, "a", score=0.9, seed=2)
    pusher.push_rest()
    assert len(pusher.pushed) == 2


def test_a_remote_that_is_away_is_asked_once_for_all_that_waits_and_again_later(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("away")

    monkeypatch.setattr("mu2net_core.api.evolving.pushing.push", fail)
    for task in "ab":
        evolve_sample(ann, task, score=0.9, seed=1)
    pusher = Pusher.to_default(ann, context, lambda _pushed: None)
    pusher.push_rest()
    assert [one.task for one in pusher.pushed] == ["a"]
    pusher.push_rest()
    assert [one.task for one in pusher.pushed] == ["a", "a"]


def test_without_a_remote_there_is_nowhere_to_push_to(repo: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="no remote to push to") as caught:
        Pusher.to_default(repo, replace(context, program="mu2net -C here"), lambda _pushed: None)
    assert caught.value.hint == "Add one: mu2net -C here remote add origin FOLDER"


@pytest.mark.parametrize("name", errors.__all__)
def test_an_error_is_the_same_after_it_was_a_value(name: str) -> None:
    error = getattr(errors, name)("It failed.", hint="Try again.")
    again = as_error(Failure.of(error))
    assert Failure.of(again) == Failure.of(error)
    assert isinstance(error, type(again))
