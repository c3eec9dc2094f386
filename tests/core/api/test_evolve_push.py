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
from mu2net_core.errors import NotFoundError
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import forget_tracking
from mu2net_core.testing.building.happenings import FINISHED, GENERATION
from mu2net_core.testing.building.samples import evolve_sample


def told_of(repo: Repository, context: Context) -> list[Pushed]:
    """Returns what is told of the pushes of one generation and one iteration of the task a."""
    told: list[Pushed] = []
    pusher = Pusher.to_default(repo, context, told.append)
    listen = pusher.after(lambda _event: None)
    listen(replace(GENERATION, task="a"))
    assert told == []
    listen(replace(FINISHED, task="a"))
    assert pusher.pushed == told
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
