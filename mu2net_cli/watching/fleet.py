"""Where a pool of agents stands: a table with a row for each, and what becomes of them in lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import counted, duration
from mu2net_cli.printing.text import visible
from mu2net_cli.watching.board import Board
from mu2net_cli.watching.telling import line_of
from mu2net_core.api.pool.happenings import AgentEnded, AgentFailed, AgentRemark, AgentStarted, PoolEvent
from mu2net_core.events import AgentWaiting, IterationStarted

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["Fleet", "pool_line"]

_TITLES = ("iter.", "gen.", "children", "best")
_NOTHING = ("-", *("-" for _ in _TITLES))


def pool_line(event: PoolEvent, *, verbose: bool = False) -> str | None:
    """Returns what an event of a pool says in one line, its agent first; None for those only ``--verbose`` shows."""
    match event:
        case AgentStarted():
            cores = f" on core {', '.join(map(str, event.cores))}" if event.cores else ""
            host = "" if event.host is None else f" of {event.host}"
            said: str | None = f"process {event.process}{host}{cores}"
        case AgentRemark():
            said = event.text
        case AgentFailed():
            then = _again(event.again_s)
            said = f"failed ({counted(event.failures, 'time')} in a row), {then}: {event.reason.rstrip('.')}"
        case AgentEnded():
            said = "stopped" if event.stopped else "nothing is left to do"
        case _:
            said = line_of(event, verbose=verbose)
    return None if said is None else f"{event.agent}: {said}"


def _again(in_s: float | None) -> str:
    if in_s is None:
        return "given up"
    return f"starting it again in {duration(in_s)}" if in_s else "starting it again"


@dataclass(slots=True)
class _Row:
    """Where one agent stands: its board, and what it is at where that is no task."""

    board: Board
    state: str | None = "starting"
    again_at: float | None = None


@dataclass(slots=True)
class Fleet:
    """Takes the events of a pool in, and draws where every agent stands.

    Attributes:
        clock: returns seconds.
    """

    clock: Callable[[], float] = monotonic
    _rows: dict[str, _Row] = field(default_factory=dict)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def update(self, event: PoolEvent) -> None:
        """Takes in one event."""
        row = self._rows.setdefault(event.agent, _Row(board=Board(self.clock)))
        match event:
            case AgentRemark():
                pass
            case AgentStarted():
                row.state, row.again_at = "starting", None
            case AgentWaiting():
                row.state = "waiting"
            case AgentEnded():
                row.state = "stopped" if event.stopped else "done"
            case AgentFailed():
                row.state = "given up" if event.again_s is None else "failed"
                row.again_at = self.clock() + event.again_s if event.again_s else None
            case _:
                row.board.update(event)
                row.state = None if isinstance(event, IterationStarted) else row.state

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Returns the cells of each agent's row: its name, task, iteration, generation, children, best, what it is at.

        One that is at no task shows its last one, if it had any.
        """
        return tuple((name, *self._cells(row)) for name, row in sorted(self._rows.items(), key=_by_number))

    def _cells(self, row: _Row) -> tuple[str, ...]:
        *cells, doing = row.board.newest() or (*_NOTHING, "")
        if row.again_at is not None:
            return (*cells, f"again in {duration(max(row.again_at - self.clock(), 0.0))}")
        return (*cells, doing if row.state is None else row.state)

    def view(self) -> Group:
        """Returns a table with one row per agent, and the time."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("agent", no_wrap=True)
        table.add_column("task", overflow="fold")  # the one that gives way
        for title in _TITLES:
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("now", no_wrap=True)
        for name, task, *cells in self.rows():
            table.add_row(Text(visible(name)), Text(visible(task)), *cells)
        return Group(table, Text(duration(self.clock() - self._began)))


def _by_number(item: tuple[str, _Row]) -> tuple[int, str]:
    """Returns what sorts ``agent-2`` before ``agent-10``."""
    return len(item[0]), item[0]
