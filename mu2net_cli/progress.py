"""What evolve reports while it runs: a live table on a terminal, plain lines otherwise; always on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from mu2net_cli.render import console, counted, percent, short
from mu2net_cli.text import print_line, visible
from mu2net_core.api.events import (
    ChildFinished,
    Compiled,
    Event,
    GenerationFinished,
    GenerationStarted,
    IterationDropped,
    IterationFinished,
    IterationStarted,
)

if TYPE_CHECKING:
    from rich.table import Table

    from mu2net_cli.session import Session

__all__ = ["Board", "duration", "evolve_progress", "line_of"]


def duration(seconds: float) -> str:
    """Returns a duration in one or two units, e.g. ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def line_of(event: Event, *, verbose: bool = False) -> str | None:
    """Returns what an event says in one line of plain text; None for those only ``--verbose`` shows."""
    match event:
        case IterationDropped():
            lost = f"{counted(event.generations, 'finished generation')} of iteration {event.iteration}"
            return f"warning: {event.task}: dropped {lost}, it cannot go on: {event.reason}"
        case IterationStarted():
            resumed = f", resuming after {event.resumed_generation}" if event.resumed_generation else ""
            amount = f"{counted(event.generations, 'generation')} of {counted(event.children, 'child')}{resumed}"
            return f"{event.task}: iteration {event.iteration}: {amount}"
        case GenerationFinished():
            done = f"{event.kept} kept and {event.discarded} discarded so far"
            best = f"best validation {percent(event.best_quality)}"
            time = f"{duration(event.wall_s)}, about {duration(event.eta_s)} left"
            return f"{event.task}: generation {event.generation + 1}: {best}; {done} ({time})"
        case IterationFinished():
            result = f"validation {percent(event.validation)}, test {percent(event.test)}"
            outcome = "improved" if event.improved else "not improved"
            took = f"{duration(event.wall_s)}, commit {short(event.commit_id)}"
            return f"{event.task}: iteration {event.iteration} finished: {result}, {outcome} ({took})"
        case _:
            return _detail(event) if verbose else None


def _detail(event: Event) -> str | None:
    match event:
        case ChildFinished():
            score = "no score" if event.score is None else f"score {event.score:.4f}"
            what = {"kept": "kept", "score": "discarded", "nan": "discarded: not finite"}[event.outcome]
            return f"{event.task}: generation {event.generation + 1}, child {event.child + 1}: {score}, {what}"
        case Compiled():
            return f"compiled {event.what} in {event.wall_s:.1f} s"
        case _:
            return None


@dataclass(slots=True)
class _Row:
    """Where one task stands on the board."""

    iteration: int = 0
    generations: int = 0
    children: int = 0
    generation: int = 0
    children_done: int = 0
    best_score: float | None = None
    state: str = "starting"
    ends_at: float | None = None

    def doing(self, now: float) -> str:
        """Returns what the task is at: the time left as soon as there is an estimate."""
        return self.state if self.ends_at is None else f"about {duration(max(0, self.ends_at - now))} left"


class Board:
    """Turns events into a table with one row per task."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Makes an empty board; ``clock`` returns seconds."""
        self._rows: dict[str, _Row] = {}
        self._clock = clock

    def update(self, event: Event) -> None:
        """Takes in one event."""
        if isinstance(event, Compiled | IterationDropped):
            return
        row = self._rows.setdefault(event.task, _Row())
        row.iteration = event.iteration
        match event:
            case IterationStarted():
                row.generations, row.children = event.generations, event.children
                row.generation, row.children_done, row.best_score = event.resumed_generation, 0, None
                row.state, row.ends_at = "starting", None
            case GenerationStarted():
                row.generation, row.children_done, row.state = event.generation + 1, 0, "training"
            case ChildFinished():
                row.children_done += 1
                row.best_score = event.best_score
            case GenerationFinished():
                row.best_score = event.best_score
                row.ends_at = self._clock() + event.eta_s
            case IterationFinished():
                row.state = f"validation {percent(event.validation)}, test {percent(event.test)}"
                row.ends_at = None

    def table(self) -> Table:
        """Returns the table as it stands."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("task", no_wrap=True)
        for title in ("iter.", "gen.", "children", "best"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for task, row in self._rows.items():
            best = "-" if row.best_score is None else f"{row.best_score:.4f}"
            generation = f"{row.generation}/{row.generations}"
            children, doing = f"{row.children_done}/{row.children}", row.doing(self._clock())
            table.add_row(task, str(row.iteration), generation, children, best, doing)
        return table


@contextmanager
def evolve_progress(session: Session, *, results: bool) -> Iterator[Callable[[Event], None]]:
    """Yields what to call with every event.

    Draws a live table on stderr where the session allows one, else prints lines there. With ``results`` the line of a
    finished iteration goes to stdout instead, whatever else is shown.
    """
    if session.live:
        yield from _live(session, results=results)
    else:
        yield lambda event: _print_line(session, event, results=results)


def _live(session: Session, *, results: bool) -> Iterator[Callable[[Event], None]]:
    from rich.live import Live
    from rich.text import Text

    board = Board()
    finished: list[IterationFinished] = []

    def on_event(event: Event) -> None:
        board.update(event)
        if isinstance(event, IterationFinished):
            finished.append(event)
        elif (session.verbose or isinstance(event, IterationDropped)) and (line := line_of(event, verbose=True)):
            live.console.print(Text(visible(line)))

    try:
        with Live(get_renderable=board.table, console=console(session, stderr=True), refresh_per_second=4) as live:
            yield on_event
    finally:
        for event in finished if results else ():
            print_line(line_of(event) or "")


def _print_line(session: Session, event: Event, *, results: bool) -> None:
    is_result = results and isinstance(event, IterationFinished)
    line = line_of(event, verbose=session.verbose)
    if line is not None and (is_result or isinstance(event, IterationDropped) or not session.quiet):
        print_line(line, err=not is_result)
