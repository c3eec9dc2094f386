"""In which order iterations are run."""

from __future__ import annotations

import pytest

from mu2net_core.api.iterations.agenda import agenda_of, queued
from mu2net_core.api.iterations.resume import Leftover
from mu2net_core.events import IterationsQueued

TASKS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("unfinished", "iterations", "agenda"),
    [
        ("", 1, "abc"),
        ("", 2, "abcabc"),
        ("c", 1, "cab"),
        ("c", 2, "cababc"),
        ("bc", 2, "bcaabc"),
        ("abc", 1, "abc"),
    ],
)
def test_unfinished_iterations_go_first_and_every_task_has_as_many_as_asked(
    unfinished: str, iterations: int, agenda: str
) -> None:
    assert agenda_of(TASKS, iterations, dict.fromkeys(unfinished, Leftover(kind="ready"))) == tuple(agenda)


@pytest.mark.parametrize(
    ("unfinished", "iterations", "then"), [("", 2, None), ("abc", 1, None), ("c", 1, "ab"), ("bc", 2, "aabc")]
)
def test_that_is_said_where_something_else_follows(unfinished: str, iterations: int, then: str | None) -> None:
    lefts = dict.fromkeys(unfinished, Leftover(kind="ready"))
    said = queued(agenda_of(TASKS, iterations, lefts), lefts)
    assert said == (None if then is None else IterationsQueued(unfinished=tuple(unfinished), then=tuple(then)))
