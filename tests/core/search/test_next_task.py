"""Which task an agent improves next."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from mu2net_core.search import Gain, Prospect, promise, ranked


def prospect(task: str, *scores: float, device_s: float = 10.0) -> Prospect:
    """Returns a task whose iterations gained ``scores``, each in as long."""
    gains = tuple(Gain(score=score, device_s=device_s) for score in scores)
    return Prospect(task=task, score=sum(scores) if scores else None, gains=gains)


def firsts(*prospects: Prospect, times: int = 400) -> Counter[str]:
    """Returns how often each task comes first."""
    return Counter(ranked(prospects, Random(seed))[0] for seed in range(times))


def test_a_task_promises_what_its_last_three_iterations_gained_each_second_and_what_is_left_to_gain() -> None:
    known = prospect("a", 0.5, 0.1, 0.2, 0.0)
    assert promise(known) == pytest.approx(0.8 * (0.01 + 0.02 + 0.0) / 3 + 0.2 * (1 - 0.8) / 40)


def test_a_task_that_takes_longer_promises_less() -> None:
    assert promise(prospect("a", 0.1, device_s=10)) > promise(prospect("a", 0.1, device_s=20))


@pytest.mark.parametrize("score", [None, 0.0])
def test_a_task_that_nobody_knows_anything_of_promises_all_that_there_is_to_gain(score: float | None) -> None:
    assert promise(Prospect(task="a", score=score, gains=())) == pytest.approx(0.2 * 1.0 / 1e-3)


@pytest.mark.parametrize("device_s", [0.0, 1e-9])
def test_an_iteration_that_took_no_time_promises_something_finite(device_s: float) -> None:
    assert 0 < promise(prospect("a", 0.5, device_s=device_s)) < 1e9


def test_tasks_without_an_iteration_go_first_in_any_order() -> None:
    order = [ranked([prospect("a", 0.9), prospect("b"), prospect("c")], Random(seed)) for seed in range(20)]
    assert {names[2] for names in order} == {"a"}
    assert {names[0] for names in order} == {"b", "c"}


def test_nine_times_of_ten_the_most_promising_task_goes_first_and_else_any() -> None:
    found = firsts(prospect("best", 0.3), prospect("fair", 0.2), prospect("poor", 0.1))
    assert 0.9 < found["best"] / 400 < 0.97
    assert found["fair"] > 0
    assert found["poor"] > 0


def test_all_tasks_are_named_once_so_that_there_is_another_where_the_first_is_taken() -> None:
    names = ranked([prospect("a", 0.1), prospect("b"), prospect("c", 0.3)], Random(3))
    assert sorted(names) == ["a", "b", "c"]


def test_the_same_chance_chooses_the_same_whatever_order_the_tasks_were_found_in() -> None:
    tasks = [prospect(name) for name in "abcdef"]
    assert ranked(tasks, Random(1)) == ranked(tasks[::-1], Random(1))
