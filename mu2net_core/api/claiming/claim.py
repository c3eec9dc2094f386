"""A task that an agent has: the lock of its workspace, and leases that tell all others of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from mu2net_core.api.context import Context
from mu2net_core.events import Event, GenerationFinished
from mu2net_core.redaction import redact
from mu2net_core.repo.leases import Keeper
from mu2net_core.storage import FileLock

__all__ = ["Claim"]


@dataclass(slots=True)
class Claim(AbstractContextManager["Claim"]):
    """A task that this agent has, until its ``with`` block ends or the process does.

    Attributes:
        task: its name.
        context: of this process, told once what goes wrong.
    """

    task: str
    context: Context
    _lock: FileLock
    _keeper: Keeper
    _said: set[str] = field(default_factory=set)

    def __enter__(self) -> Claim:
        """Begins to renew the leases."""
        self._keeper.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        """Gives the task back."""
        try:
            self._keeper.__exit__(*exc)
        finally:
            self._lock.__exit__(None, None, None)

    def after(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """Returns ``on_event`` that also has the leases say how far the work is, and that it goes on."""

        def on_event_and_tell(event: Event) -> None:
            self._keeper.hear()
            on_event(event)
            if isinstance(event, GenerationFinished):
                self._keeper.tell(event.generation + 1, event.best_score)
                self._warn()

        return on_event_and_tell

    def _warn(self) -> None:
        for lease in self._keeper.lost:
            by = lease.taken_by
            if by is not None:
                who = f"agent-{by.entry.agent.slot} of {by.entry.agent.host}"
                self._once(f"{who} took {self.task} over, as it had not heard of this agent; what both find is merged")
        for place, error in dict(self._keeper.trouble).items():
            self._once(
                f"others may take {self.task} too, for it cannot be said in {redact(place)} that it goes on: {error}"
            )

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.context.warn(text)
