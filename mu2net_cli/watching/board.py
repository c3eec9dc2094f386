"""Where an evolution stands: as a table for a terminal, as one line for a pipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import duration, percent
from mu2net_cli.printing.text import visible
from mu2net_core.events import (
    AgentWaiting,
    ChildFinished,
    Compiled,
    Compiling,
    CycleFinished,
    Event,
    GenerationFinished,
    GenerationStarted,
    IterationDropped,
    IterationFinished,
    IterationsQueued,
    IterationStarted,
    RefitStarted,
    RefitStepsFinished,
    StepsFinished,
    TaskPushed,
)

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["Board"]

_LEAST_ROWS = 3


@dataclass(slots=True)
class _Row:
    """Where one task stands on the board."""

    iteration: int = 0
    generations: int = 0
    children: int = 0
    cycles: int = 0
    steps: int = 0
    generation: int = 0
    children_done: int = 0
    cycle: int = 0
    step: int = 0
    best: float | None = None
    state: str = "starting"
    ends_at: float | None = None
    measured: bool = False
    examples: int = 0
    refit_began: float = 0.0

    @property
    def doing(self) -> str:
        """What the task is at; which of the cycles, if there are several, and how much of it is done."""
        if self.state == "refit":
            return f"refit on {self.examples}, {self._done}"
        if self.state != "training":
            return self.state
        which = "training" if self.cycles == 1 else f"cycle {self.cycle}/{self.cycles},"
        return f"{which} {self._done}"

    @property
    def _done(self) -> str:
        return f"{100 * self.step // max(self.steps, 1)}%"


class Board:
    """Takes events in, and says where everything stands."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Makes an empty board; ``clock`` returns seconds."""
        self._rows: dict[str, _Row] = {}
        self._clock = clock
        self._began = clock()
        self._compiling: str | None = None

    def update(self, event: Event) -> None:
        """Takes in one event."""
        match event:
            case Compiling():
                self._compiling = event.what
            case Compiled():
                self._compiling = None if event.what == self._compiling else self._compiling
            case AgentWaiting() | IterationsQueued() | IterationDropped() | TaskPushed():
                pass
            case IterationStarted():
                self._rows.pop(event.task, None)  # what goes on now is the last row
                self._rows[event.task] = _Row(
                    iteration=event.iteration,
                    generations=event.generations,
                    children=event.children,
                    cycles=event.schedule.cycles,
                    steps=event.schedule.steps,
                    generation=event.resumed_generation,
                )
            case _:
                self._note(self._rows.setdefault(event.task, _Row(iteration=event.iteration)), event)

    def _note(self, row: _Row, event: Event) -> None:
        match event:
            case GenerationStarted():
                row.generation, row.children_done, row.state = event.generation + 1, 0, "training"
                row.cycle, row.step = 1, 0
            case StepsFinished():
                row.cycle, row.step = event.cycle + 1, event.steps
            case CycleFinished():
                row.cycle, row.step = min(event.cycle + 2, row.cycles), 0
            case ChildFinished():
                row.children_done, row.best = row.children_done + 1, event.best_quality
                row.cycle, row.step = 1, 0
                row.state = "training" if row.children_done < row.children else "storing"
                if not row.measured:  # the first one compiled, too: rather too much than nothing
                    to_come = row.children * (row.generations - row.generation + 1) - row.children_done
                    row.ends_at = self._clock() + event.wall_s * to_come
            case GenerationFinished():
                row.best, row.ends_at, row.measured = event.best_quality, self._clock() + event.eta_s, True
            case RefitStarted():
                row.state, row.examples, row.refit_began = "refit", event.examples, self._clock()
                row.step, row.steps = 0, event.steps
            case RefitStepsFinished():
                row.step, now = event.steps, self._clock()
                row.ends_at = now + (now - row.refit_began) * (row.steps - row.step) / max(row.step, 1)
            case IterationFinished():
                row.best, row.state, row.ends_at = event.validation, f"test {percent(event.test)}", None

    def newest(self) -> tuple[str, ...] | None:
        """Returns the row of what runs, or ran last: task, iteration, generation, children, best, and what it is at."""
        if not self._rows:
            return None
        task, row = next(reversed(self._rows.items()))
        return (task, *self._cells(row, is_last=True))

    def line(self) -> str:
        """Returns where the running iteration stands, in one line."""
        so_far = f"({duration(self._clock() - self._began)} so far)"
        if not self._rows:
            return f"starting {so_far}"
        task, row = next(reversed(self._rows.items()))
        where = f"{task}: iteration {row.iteration}, generation {row.generation} of {row.generations}"
        child = min(row.children_done + 1, row.children)
        compiling = ", compiling" if self._compiling is not None else ""
        return f"{where}, child {child} of {row.children}: {row.doing}{compiling} {so_far}"

    def view(self, height: int = 24) -> Group:
        """Returns a table with one row per task, the last ones if there are more than fit ``height``, and the time."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("task", overflow="fold")  # the one that gives way
        for title in ("iter.", "gen.", "children", "best"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("now", no_wrap=True)
        shown = list(self._rows.items())[-max(_LEAST_ROWS, height - 4) :]
        for task, row in shown:
            table.add_row(Text(visible(task)), *self._cells(row, is_last=row is shown[-1][1]))
        return Group(table, Text(self._time(hidden=len(self._rows) - len(shown))))

    def _cells(self, row: _Row, *, is_last: bool) -> tuple[str, ...]:
        doing = "compiling" if is_last and self._compiling is not None else row.doing
        counts = (f"{row.generation}/{row.generations}", f"{row.children_done}/{row.children}")
        return (str(row.iteration), *counts, percent(row.best), doing)

    def _time(self, hidden: int) -> str:
        """Returns the last line: short, so that the ^C of a terminal fits behind it."""
        parts = [duration(self._clock() - self._began)]
        ends_at = next(reversed(self._rows.values())).ends_at if self._rows else None
        if ends_at is not None and ends_at > self._clock():
            parts.append(f"about {duration(ends_at - self._clock())} left")
        if hidden:
            parts.append(f"{hidden} more above")
        return ", ".join(parts)
