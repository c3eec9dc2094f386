"""What evolve shows while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mu2net_cli.progress import Board, duration, line_of
from mu2net_core.api.events import (
    ChildFinished,
    Compiled,
    GenerationFinished,
    GenerationStarted,
    IterationDropped,
    IterationFinished,
    IterationStarted,
    Spent,
)

BEGUN = IterationStarted(task="digits", iteration=1, generations=3, children=4, resumed_generation=0)
RESUMED = IterationStarted(task="digits", iteration=1, generations=3, children=4, resumed_generation=2)
SAMPLED = GenerationStarted(task="digits", iteration=1, generation=0)


def child(number: int, outcome: str = "kept", score: float | None = 0.5) -> ChildFinished:
    return ChildFinished(
        task="digits",
        iteration=1,
        generation=0,
        child=number,
        outcome=outcome,
        score=score,
        quality=score,
        best_score=0.5,
        wall_s=1.0,
    )


GENERATION = GenerationFinished(
    task="digits",
    iteration=1,
    generation=0,
    best_score=0.9,
    best_quality=0.9125,
    kept=3,
    discarded=1,
    wall_s=10.0,
    eta_s=70.0,
    children=(),
    spent=Spent(
        compile_s=1.0,
        train_s=7.0,
        validate_s=1.0,
        wait_s=0.5,
        examples=4000,
        examples_per_s=571.4,
        device_bytes=None,
    ),
)
FINISHED = IterationFinished(
    task="digits",
    iteration=1,
    validation=0.95,
    test=0.9431,
    improved=True,
    commit_id="ab" * 32,
    model_id="cd" * 32,
    wall_s=33.0,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_are_short(seconds, text) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (BEGUN, "digits: iteration 1: 3 generations of 4 children"),
        (RESUMED, "digits: iteration 1: 3 generations of 4 children, resuming after 2"),
        (
            GENERATION,
            "digits: generation 1: best validation 91.25%; 3 kept and 1 discarded so far (10 s, about 1 min 10 s left)",
        ),
        (
            FINISHED,
            "digits: iteration 1 finished: validation 95.00%, test 94.31%, improved (33 s, commit ababababab)",
        ),
        (
            IterationDropped(task="digits", iteration=1, generations=2, reason="seed 1 then, 2 now"),
            "warning: digits: dropped 2 finished generations of iteration 1, it cannot go on: seed 1 then, 2 now",
        ),
        (SAMPLED, None),
        (child(0), None),
        (Compiled(what="train", wall_s=1.5), None),
    ],
)
def test_a_pipe_gets_a_line_per_generation_and_iteration(event, line) -> None:
    assert line_of(event) == line


def test_verbose_lines_tell_of_children_and_compilations() -> None:
    assert line_of(child(1), verbose=True) == "digits: generation 1, child 2: score 0.5000, kept"
    assert (
        line_of(child(2, "nan", None), verbose=True) == "digits: generation 1, child 3: no score, discarded: not finite"
    )
    assert line_of(Compiled(what="train", wall_s=1.5), verbose=True) == "compiled train in 1.5 s"


def drawn(board: Board) -> str:
    stream = io.StringIO()
    Console(file=stream, width=100).print(board.table())
    return stream.getvalue()


def test_the_board_follows_an_iteration() -> None:
    seconds = [100.0]
    board = Board(clock=lambda: seconds[0])
    dropped = IterationDropped(task="digits", iteration=1, generations=2, reason="another seed")
    for event in (dropped, BEGUN, SAMPLED, Compiled(what="train", wall_s=1.0), child(0), child(1)):
        board.update(event)
    words = drawn(board).splitlines()[1].split()
    assert words == ["digits", "1", "1/3", "2/4", "0.5000", "training"]
    board.update(GENERATION)
    seconds[0] += 30
    assert "about 40 s left" in drawn(board)
    board.update(FINISHED)
    assert "validation 95.00%, test 94.31%" in drawn(board)


def test_the_board_shows_where_a_resumed_iteration_stands() -> None:
    board = Board()
    board.update(RESUMED)
    assert "2/3" in drawn(board)
