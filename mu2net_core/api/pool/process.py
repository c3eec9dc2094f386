"""The process of one agent: started on its cores, heard line by line, stopped at a safe point or at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO, Literal

from mu2net_core.api.pool.placement import Placement

__all__ = ["AgentProcess", "Said"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is heard of an agent.

    Attributes:
        slot: of the agent.
        kind: ``start``, where its process runs; a line of its events or of its remarks; ``lost``, that the machine it
            ran on is, and that it is started on another one; or, at last, its ``end``.
        text: the line, the machine's name if it is not the pool's, or why it was lost.
        code: the process's number, or its exit code.
        cores: that it was started on.
    """

    slot: int
    kind: Literal["start", "event", "remark", "lost", "end"]
    text: str = ""
    code: int = 0
    cores: tuple[int, ...] = ()


class AgentProcess:
    """An agent that lives no longer than this process: it reads from a pipe that closes when this one ends."""

    def __init__(
        self,
        slot: int,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        placement: Placement,
        inbox: Queue[Said],
    ) -> None:
        """Starts it in a session of its own, so that Ctrl-C reaches this process alone.

        Args:
            slot: of the agent.
            command: that runs it.
            environ: of this process.
            cwd: where it runs.
            placement: its cores, and what shows it its devices.
            inbox: gets all it says.
        """
        self.slot, self._inbox = slot, inbox
        with _on(placement.cores):
            self._process = subprocess.Popen(  # noqa: S603  ours
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**environ, **placement.environ},
                cwd=cwd,
                start_new_session=True,
            )
        inbox.put(Said(slot=slot, kind="start", code=self._process.pid, cores=tuple(placement.cores)))
        self._remarks = Thread(target=self._hear, args=(self._process.stderr, "remark"), daemon=True)
        self._events = Thread(target=self._hear_all, daemon=True)
        self._remarks.start()
        self._events.start()

    def stop(self) -> None:
        """Asks it to end with the generation at hand."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it now; what it finished is kept."""
        with suppress(ProcessLookupError):
            self._process.kill()

    def close(self) -> None:
        """Waits until it is gone, and frees what it held here."""
        self._process.wait()
        self._events.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _hear_all(self) -> None:
        self._hear(self._process.stdout, "event")
        self._remarks.join()
        self._inbox.put(Said(slot=self.slot, kind="end", code=self._process.wait()))

    def _hear(self, stream: IO[bytes] | None, kind: Literal["event", "remark"]) -> None:
        for line in stream or ():
            self._inbox.put(Said(slot=self.slot, kind=kind, text=line.decode(errors="replace").rstrip("\n")))


@contextmanager
def _on(cores: Sequence[int]) -> Iterator[None]:
    """Lets this thread run on ``cores`` alone inside the block: a process that it starts has them for good."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
