"""What benchmarks work out themselves is what can be worked out by hand."""

from __future__ import annotations

from case_busy import covered
from fleet import alone_s, finished_s, free_s, in_step_s

LENGTHS = {"a": [4.0, 1.0], "b": [1.0, 1.0], "c": [2.0, 1.0]}


def test_one_agent_takes_the_sum_whether_or_not_it_is_in_step() -> None:
    assert alone_s(LENGTHS) == free_s(LENGTHS, 1) == in_step_s(LENGTHS, 1) == 10


def test_agents_that_wait_for_nobody_take_what_is_left_as_soon_as_they_are_free() -> None:
    # a: 0-4, 4-5; b: 0-1; c: 1-3; then b: 3-4; c: 4-5
    assert free_s(LENGTHS, 2) == 5
    assert free_s(LENGTHS, 3) == 5  # a task has one agent at a time


def test_agents_in_step_wait_for_the_longest_of_each_iteration() -> None:
    assert in_step_s(LENGTHS, 3) == 4 + 1
    assert in_step_s(LENGTHS, 2) == 4 + 2


def test_of_tasks_that_are_improved_for_ever_what_is_finished_by_then_counts() -> None:
    # a: 0-4, 4-5, 5-9; b: one after the other; c: 0-2, 2-3, 3-5, 5-6
    assert finished_s(LENGTHS, 3, 5) == 5 + 5 + 5
    assert finished_s(LENGTHS, 3, 6) == 5 + 6 + 6


def test_time_that_several_programs_run_in_counts_once() -> None:
    assert covered([(2.0, 3.0), (0.0, 1.0), (0.5, 1.5), (0.6, 0.7)]) == 2.5
