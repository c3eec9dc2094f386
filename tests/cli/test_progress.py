"""Where an evolution stands while it runs: a table on a terminal, lines in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from mu2net_cli.session import Session
from mu2net_cli.watching import agents, progress
from mu2net_cli.watching.board import Board
from mu2net_cli.watching.progress import Lines
from mu2net_core.api.context import Context
from mu2net_core.errors import NotFoundError
from mu2net_core.events import Compiled, Compiling, IterationDropped, RefitStarted, RefitStepsFinished
from mu2net_core.testing.building.happenings import BEGUN, FINISHED, GENERATION, RESUMED, SAMPLED, child, cycle, steps

LONG = "sklearn-digits/five-or-more"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def drawn(board: Board, width: int = 80, height: int = 24) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width).print(board.view(height))
    return stream.getvalue().splitlines()


def seen(*events: object, clock: Clock | None = None) -> Board:
    board = Board(clock or Clock())
    for event in events:
        board.update(event)  # type: ignore[arg-type]
    return board


def row(board: Board) -> list[str]:
    return drawn(board)[1].split()


def test_the_board_follows_an_iteration() -> None:
    clock = Clock()
    board = seen(IterationDropped(task="digits", iteration=1, generations=2), BEGUN, clock=clock)
    assert row(board) == ["digits", "1", "0/3", "0/4", "-", "starting"]
    for event in (SAMPLED, cycle(0), cycle(1)):
        board.update(event)
    assert row(board) == ["digits", "1", "1/3", "0/4", "-", "cycle", "3/4,", "0%"]
    board.update(steps(17, cycle=2))
    assert row(board)[-3:] == ["cycle", "3/4,", "50%"]
    for event in (cycle(3), child(0), child(1)):
        board.update(event)
    assert row(board) == ["digits", "1", "1/3", "2/4", "50.00%", "cycle", "1/4,", "0%"]
    for event in (child(2), child(3)):
        board.update(event)
    assert row(board)[-1] == "storing"
    board.update(GENERATION)
    clock.seconds += 30
    assert drawn(board)[-1] == "30 s, about 40 s left"
    board.update(FINISHED)
    assert row(board) == ["digits", "1", "1/3", "4/4", "95.00%", "test", "94.31%"]


def test_the_board_says_when_training_waits_for_a_compiler_and_that_time_passes() -> None:
    clock = Clock()
    board = seen(BEGUN, SAMPLED, Compiling(what="train"), Compiled(what="another", wall_s=1.0), clock=clock)
    clock.seconds += 42
    assert row(board)[-1] == "compiling"
    assert drawn(board)[-1] == "42 s"
    board.update(Compiled(what="train", wall_s=42.0))
    assert row(board)[-3:] == ["cycle", "1/4,", "0%"]


def test_the_board_says_how_much_of_the_only_cycle_of_a_child_is_done() -> None:
    board = seen(replace(BEGUN, schedule=replace(BEGUN.schedule, steps=600, cycles=1)), SAMPLED)
    assert row(board)[-2:] == ["training", "0%"]
    board.update(steps(184))
    assert row(board)[-2:] == ["training", "30%"]
    board.update(cycle(0))
    assert row(board)[-2:] == ["training", "0%"]


def test_the_board_says_that_the_best_model_is_trained_once_more_on_all_examples() -> None:
    clock = Clock()
    refit = RefitStarted(task="digits", iteration=1, examples=1438, steps=960)
    board = seen(BEGUN, SAMPLED, replace(GENERATION, eta_s=35.0), refit, clock=clock)
    assert row(board)[-4:] == ["refit", "on", "1438,", "0%"]
    assert drawn(board)[-1] == "0 s, about 35 s left"
    clock.seconds += 10
    board.update(RefitStepsFinished(task="digits", iteration=1, steps=240))
    assert row(board)[-4:] == ["refit", "on", "1438,", "25%"]
    assert drawn(board)[-1] == "10 s, about 30 s left"
    board.update(FINISHED)
    assert "test" in row(board)


def test_the_board_says_after_the_first_child_how_long_it_will_take_and_after_a_generation_what_that_took() -> None:
    clock = Clock()
    board = seen(BEGUN, SAMPLED, clock=clock)
    assert drawn(board)[-1] == "0 s"
    board.update(replace(child(0), wall_s=6.0))
    assert drawn(board)[-1] == "0 s, about 1 min 06 s left"  # eleven of three generations of four
    board.update(replace(child(1), wall_s=3.0))
    assert drawn(board)[-1] == "0 s, about 30 s left"
    for event in (GENERATION, replace(SAMPLED, generation=1), replace(child(0), wall_s=50.0)):
        board.update(event)
    assert drawn(board)[-1] == "0 s, about 1 min 10 s left"


def test_the_board_shows_where_a_resumed_iteration_stands() -> None:
    assert "2/3" in row(seen(RESUMED))


def busy(task: str) -> list[object]:
    """Returns what makes the widest row of a task."""
    begun = replace(BEGUN, task=task, iteration=100, generations=16, children=64)
    return [begun, replace(SAMPLED, task=task, generation=15), *(replace(child(n), task=task) for n in range(63))]


@pytest.mark.parametrize("width", [80, 100])
def test_everything_fits_80_columns(width: int) -> None:
    board = seen(*busy(LONG), replace(FINISHED, task=LONG), *busy("b"))
    lines = drawn(board, width)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["task", "iter.", "gen.", "children", "best", "now"]
    assert lines[1].split() == [LONG, "100", "16/16", "63/64", "95.00%", "test", "94.31%"]
    assert lines[2].split() == ["b", "100", "16/16", "63/64", "50.00%", "cycle", "1/4,", "0%"]


def test_a_name_that_is_too_long_is_continued_below_and_cuts_nothing_off() -> None:
    name = "a" * 60
    lines = drawn(seen(*busy(name), replace(FINISHED, task=name)))
    assert max(map(len, lines)) <= 80
    assert "test 94.31%" in lines[1]
    assert "".join(line.split()[0] for line in lines[1:-1]) == name


def test_of_more_tasks_than_fit_the_last_ones_are_shown_and_what_runs_is_among_them() -> None:
    tasks = [f"task-{number}" for number in range(40)]
    board = seen(*(replace(BEGUN, task=task) for task in (*tasks, "task-3")))
    lines = drawn(board)
    assert len(lines) < 24
    assert lines[-2].split()[0] == "task-3"
    assert lines[-1] == "0 s, 20 more above"


@pytest.fixture
def session(context: Context) -> Session:
    return Session(context=context)


def test_a_pipe_is_told_where_everything_stands_when_nothing_was_said_for_long(session: Session, capsys) -> None:
    clock = Clock()
    lines = Lines(session=session, results=True, advice=True, clock=clock)
    clock.seconds += 19
    lines.tick()
    assert capsys.readouterr().err == ""
    clock.seconds += 6
    lines.tick()
    assert capsys.readouterr().err == "starting (25 s so far)\n"
    for event in (BEGUN, SAMPLED, cycle(0), Compiling(what="train")):
        lines.take(event)
    capsys.readouterr()
    lines.tick()
    clock.seconds += 20
    lines.tick()
    lines.tick()
    assert capsys.readouterr().err == (
        "digits: iteration 1, generation 1 of 3, child 1 of 4: cycle 2/4, 0%, compiling (45 s so far)\n"
    )


@pytest.mark.parametrize("advice", [True, False])
def test_warnings_go_to_stderr_and_results_to_stdout(session: Session, capsys, *, advice: bool) -> None:
    Lines(session=session, results=True, advice=advice).take(replace(FINISHED, at_chance=True))
    said = capsys.readouterr()
    assert said.out.startswith("digits: iteration 1 finished: ")
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["warning", "hint"] * advice


@pytest.mark.parametrize("begun", [True, False])
def test_a_table_stays_on_a_terminal_unless_nothing_was_begun(*, begun: bool) -> None:
    stream, board = io.StringIO(), seen(*[BEGUN] * begun)
    screen = Console(file=stream, force_terminal=True, width=80)
    shown = progress.drawn(screen, board.view, is_empty=lambda: board.newest() is None, per_second=1)
    with pytest.raises(NotFoundError), shown:
        raise NotFoundError("No such task.")
    left = stream.getvalue().rpartition("\x1b[2K")[-1]  # what was written after the last line was erased
    assert ("task" in left) == ("digits" in left) == begun


@pytest.mark.parametrize("pool", [True, False])
def test_who_ends_before_anything_began_leaves_no_table(
    session: Session, monkeypatch: pytest.MonkeyPatch, *, pool: bool
) -> None:
    stream, room = io.StringIO(), agents if pool else progress
    monkeypatch.setattr(room, "console", lambda *_, **__: Console(file=stream, force_terminal=True, width=80))
    monkeypatch.setattr(Session, "live", True)
    shown = agents._shown(session, results=True) if pool else progress.evolve_progress(session, results=True)
    with pytest.raises(NotFoundError), shown:
        raise NotFoundError("No such task.")
    assert "task" in stream.getvalue()
    assert "task" not in stream.getvalue().rpartition("\x1b[2K")[-1]
