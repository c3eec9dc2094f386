"""Where the agents of a pool run: what every such place does, and this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Protocol

from mu2net_core.api.context import Context
from mu2net_core.api.pool.job import Job, write_job
from mu2net_core.api.pool.placement import Placement
from mu2net_core.api.pool.process import AgentProcess, Said
from mu2net_core.repo import Repository

__all__ = ["Executor", "LocalExecutor", "Running"]


class Running(Protocol):
    """An agent that was started."""

    def stop(self) -> None:
        """Asks it to end with the generation at hand."""
        ...

    def kill(self) -> None:
        """Ends it now; what it finished is kept."""
        ...

    def close(self) -> None:
        """Waits until it is gone, and frees what it held here."""
        ...


class Executor(Protocol):
    """Starts agents somewhere, and hears what they say."""

    def start(self, job: Job) -> Running:
        """Starts the agent of a slot.

        Raises:
            OSError, StorageError: it cannot be started now.
        """
        ...

    def hear(self, timeout_s: float) -> Sequence[Said]:
        """Returns what agents said, in order; waits for so long, at most, if they said nothing.

        Raises:
            StorageError: none of them can be heard any more.
        """
        ...

    def close(self) -> None:
        """Frees what it held, once no agent is left."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalExecutor:
    """Runs agents on this machine.

    Attributes:
        repo: that they improve, all in the same working copy.
        context: of this process; agents get its environment and work in its folder.
        program: what this Python is given to be an agent, before the file that says which.
        places: by slot.
    """

    repo: Repository
    context: Context
    program: Sequence[str]
    places: Sequence[Placement]
    _inbox: Queue[Said] = field(default_factory=Queue)

    def start(self, job: Job) -> AgentProcess:
        """Starts the agent of a slot."""
        slot = job.options.slot
        return AgentProcess(
            slot,
            [sys.executable, *self.program, str(write_job(self.repo.state / "agents", job))],
            environ=self.context.environ,
            cwd=self.context.cwd,
            placement=self.places[slot],
            inbox=self._inbox,
        )

    def hear(self, timeout_s: float) -> Sequence[Said]:
        """Returns what an agent said, if one did."""
        try:
            return [self._inbox.get(timeout=timeout_s)]
        except Empty:
            return []

    def close(self) -> None:
        """There is nothing to free."""
