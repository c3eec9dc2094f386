"""What evolve reports while it runs: a live table on a terminal, plain lines otherwise; always on stderr."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import console
from mu2net_cli.printing.text import diverted, print_line
from mu2net_cli.watching.board import Board
from mu2net_cli.watching.telling import MOST_TOLD, line_of
from mu2net_core.api.evolving.advice import advice_on
from mu2net_core.events import Event, IterationDropped, IterationFinished, IterationsQueued

if TYPE_CHECKING:
    from rich.console import Console, Group

    from mu2net_cli.session import Session

__all__ = ["Lines", "drawn", "evolve_progress"]

_SILENCE_S = 20.0
"""Who reads lines is told where everything stands after so long without one."""


@contextmanager
def evolve_progress(session: Session, *, results: bool, advice: bool = True) -> Iterator[Callable[[Event], None]]:
    """Yields what to call with every event.

    Draws a live table on stderr where the session allows one, else prints lines there. With ``results`` the line of a
    finished iteration goes to stdout instead, whatever else is shown; with ``advice`` it is said where models learn too
    little.
    """
    advice = advice and not session.quiet
    if session.live:
        yield from _live(session, results=results, advice=advice)
        return
    lines = Lines(session=session, results=results, advice=advice)
    if session.quiet:
        yield lines.take
        return
    with _ticking(lines.tick):
        yield lines.take


def _live(session: Session, *, results: bool, advice: bool) -> Iterator[Callable[[Event], None]]:
    board, screen = Board(), console(session, stderr=True)
    finished = deque[IterationFinished](maxlen=MOST_TOLD)

    def on_event(event: Event) -> None:
        board.update(event)
        said = list(_warnings(session, event)) if advice else []
        if isinstance(event, IterationFinished):
            finished.append(event)
        elif session.verbose or isinstance(event, IterationDropped | IterationsQueued):
            said.append(line_of(event, verbose=True) or "")
        for line in filter(None, said):
            print_line(line, err=True)

    try:
        with drawn(screen, lambda: board.view(screen.height), is_empty=lambda: board.newest() is None, per_second=4):
            yield on_event
    finally:
        for event in finished if results else ():
            print_line(line_of(event) or "")


@contextmanager
def drawn(
    screen: Console, view: Callable[[], Group], *, is_empty: Callable[[], bool], per_second: float
) -> Iterator[None]:
    """Draws what ``view`` returns at the end of a terminal, below the lines that are printed meanwhile.

    Args:
        screen: of the terminal.
        view: what is to be seen now.
        is_empty: whether nothing of it is worth staying, as a table without a row above an error.
        per_second: how often it is drawn anew.
    """
    from rich.live import Live
    from rich.text import Text

    live = Live(get_renderable=view, console=screen, refresh_per_second=per_second)
    with live, diverted(lambda line: screen.print(Text(line))):
        try:
            yield
        finally:
            live.transient = is_empty()


@dataclass(slots=True)
class Lines:
    """Prints events as lines, and where everything stands when there was none for long.

    Attributes:
        session: says how much is printed.
        results: whether the line of a finished iteration goes to stdout.
        advice: whether it is said where models learn too little.
        clock: returns seconds.
    """

    session: Session
    results: bool
    advice: bool
    clock: Callable[[], float] = monotonic
    _board: Board = field(init=False)
    _said_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._board, self._said_at = Board(self.clock), self.clock()

    def take(self, event: Event) -> None:
        """Prints what one event says."""
        self._board.update(event)
        is_result = self.results and isinstance(event, IterationFinished)
        line = line_of(event, verbose=self.session.verbose)
        if line is not None and (is_result or isinstance(event, IterationDropped) or not self.session.quiet):
            self._said_at = self.clock()
            print_line(line, err=not is_result)
        for warning in _warnings(self.session, event) if self.advice else ():
            print_line(warning, err=True)

    def tick(self) -> None:
        """Says where everything stands if nothing was said for long."""
        if self.clock() - self._said_at >= _SILENCE_S:
            self._said_at = self.clock()
            print_line(self._board.line(), err=True)


def _warnings(session: Session, event: Event) -> tuple[str, ...]:
    """Returns the lines that warn of models that learn nothing."""
    found = advice_on(event, session.context)
    return () if found is None else (f"warning: {found.warning}", f"hint: {found.hint}")


@contextmanager
def _ticking(tick: Callable[[], None]) -> Iterator[None]:
    """Calls ``tick`` every second, beside what is done meanwhile."""
    is_over = Flag()

    def run() -> None:
        while not is_over.wait(1.0):
            tick()

    thread = Thread(target=run, name="mu2net-ticking", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
