"""What evolve says when it is stopped: what is kept, and how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import counted
from mu2net_core.events import Event, IterationFinished, IterationStarted

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.repo import Repository

__all__ = ["Story"]


@dataclass(slots=True)
class Story:
    """What an evolution came to so far, for the moment it is stopped.

    Attributes:
        session: of the command line.
        repo: that evolves.
        tasks: that the command improves.
        restart: whether it drops what is unfinished.
        options: that hold for whatever evolves, to be given again.
    """

    session: Session
    repo: Repository
    tasks: tuple[str, ...]
    restart: bool
    options: tuple[str, ...] = ()
    _finished: int = 0
    _running: str | None = None

    def after(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """Returns ``on_event`` that also takes notes."""

        def on_event_and_note(event: Event) -> None:
            if isinstance(event, IterationStarted):
                self._running = event.task
            elif isinstance(event, IterationFinished):
                self._finished, self._running = self._finished + 1, None
            on_event(event)

        return on_event_and_note

    def stopped(self) -> tuple[str, ...]:
        """Returns what is kept and how to go on, in lines."""
        from mu2net_core.api.looking.status import status

        report = status(self.repo, self.session.context)
        unfinished = [one for one in report.unfinished if one.task in self.tasks and one.stuck is None]
        finished = f" {counted(self._finished, 'iteration')} finished and kept." if self._finished else ""
        lines = [f"Stopped.{finished}"]
        if self._running is not None and self._running not in {one.task for one in unfinished}:
            lines.append(f"{self._running}: no generation was finished yet, so its iteration begins anew.")
        for one in unfinished:
            done = f"{one.generation} of {counted(one.generations or 0, 'generation')} done and kept"
            lines += [f"{one.task}: {done}. To go on:", f"  {shlex.join((*shlex.split(one.command), *self.options))}"]
        if unfinished and (len(self.tasks) > 1 or self.restart):
            without = " without --restart" if self.restart else " as before"
            then = " first, then improves the other tasks" if len(self.tasks) > 1 else ""
            lines.append(f"The same command{without} goes on with it{then}.")
        return tuple(lines)
