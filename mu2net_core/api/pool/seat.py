"""One place in a pool: the agent of a slot, through all the processes that it has one after the other."""

from __future__ import annotations

import json
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from mu2net_core.api.evolving.event_log import event_of
from mu2net_core.api.pool.executor import Running
from mu2net_core.api.pool.happenings import AgentEnded, AgentFailed, AgentRemark, AgentStarted, PoolEvent
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.restarts import Restarts
from mu2net_core.errors import StorageError
from mu2net_core.events import GenerationFinished, IterationFinished

__all__ = ["AgentReport", "Seat"]

_INTERRUPTED, _NOT_STARTED, _LOST = 130, 1, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """What became of an agent of a pool.

    Attributes:
        agent: its name.
        outcome: ``done``: nothing was left to do; ``stopped``; ``failed``: it was given up.
        iterations: that it finished.
        failures: how often its process ended as it should not.
        reason: why it was given up; None if it was not.
        hint: what to do about that, if its process said so.
        left_out: tasks that it could not improve.
    """

    agent: str
    outcome: Literal["done", "stopped", "failed"]
    iterations: int
    failures: int
    reason: str | None = None
    hint: str | None = None
    left_out: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Seat:
    """An agent of a pool.

    Attributes:
        slot: its number.
        start: starts a process for it.
        on_event: told of all it says, and of what becomes of it.
        clock: seconds.
        deadline: on that clock; later it is not started again.
        finished: the iterations that it told of; the last ones if so many are not kept.
    """

    slot: int
    start: Callable[[], Running]
    on_event: Callable[[PoolEvent], None]
    clock: Callable[[], float]
    deadline: float | None = None
    process: Running | None = None
    finished: deque[IterationFinished] = field(default_factory=deque)
    report: AgentReport | None = None
    _num_finished: int = 0
    _restarts: Restarts = field(default_factory=Restarts)
    _due: float | None = None
    _is_stopping: bool = False
    _is_renewed: bool = False
    _is_through: bool = False
    _left_out: tuple[str, ...] = ()
    _last_error: str = ""
    _last_hint: str | None = None
    _given_up: str | None = None

    @property
    def name(self) -> str:
        """What its events name it."""
        return f"agent-{self.slot}"

    def go(self) -> None:
        """Starts the agent if it is time to."""
        if self.process is not None or self.report is not None or (self._due is not None and self.clock() < self._due):
            return
        if self._due is not None and self.deadline is not None and self.clock() >= self.deadline:
            self._conclude("done")
            return
        self._is_through, self._last_error, self._last_hint = False, "", None
        try:
            self.process = self.start()
        except (OSError, StorageError) as exc:  # no memory for one more, a full disk: the others go on
            self._last_error = f"it cannot be started: {exc}"
            self._fail(_NOT_STARTED)

    def stop(self) -> None:
        """Has the agent end with the generation at hand; one that waits to be started again is over."""
        if self.process is not None and not self._is_stopping:
            self.process.stop()
        elif self.process is None and self.report is None:
            self._conclude("stopped")
        self._is_stopping = True

    def renew(self) -> None:
        """Has the agent go on in another process, which knows what is known by now, after the generation at hand."""
        if self.process is not None and not self._is_stopping:
            self._is_renewed = True
            self.process.stop()

    def kill(self) -> None:
        """Ends the agent's process now."""
        if self.process is not None:
            self._is_stopping = True
            self.process.kill()

    def abandon(self) -> None:
        """Ends the agent's process now, and waits for it, whatever it has to say."""
        if self.process is not None:
            self.process.kill()
            self.process.close()

    def hear(self, said: Said) -> None:
        """Takes in what the agent said."""
        match said.kind:
            case "start":
                place = said.text or None
                self.on_event(AgentStarted(agent=self.name, process=said.code, cores=said.cores, host=place))
            case "event":
                self._take(said.text)
            case "remark" if said.text != "Interrupted.":  # which is told by how it ended
                self._note(said.text)
                self.on_event(AgentRemark(agent=self.name, text=said.text))
            case "lost":
                self._lose(said.text)
            case "end":
                self._end(said.code)

    def _note(self, remark: str) -> None:
        """Takes note of the last error that is told, and of the hint that follows it."""
        if remark.startswith("error: "):
            self._last_error, self._last_hint = remark, None
        elif remark.startswith("hint: ") and self._last_error:
            self._last_hint = remark.removeprefix("hint: ")

    def _take(self, line: str) -> None:
        event = event_of(line)
        if event is None:
            self._take_result(line)
            return
        if isinstance(event, GenerationFinished):
            self._restarts = self._restarts.got_on()
        if isinstance(event, IterationFinished):
            self.finished.append(event)
            self._num_finished += 1
        self.on_event(event)

    def _take_result(self, line: str) -> None:
        """Takes in the last line of an agent that came to its end, which says what it came to."""
        try:
            document = json.loads(line)
            self._is_through = document["event"] == "EvolveResult"
            self._left_out = tuple(map(str, document["left_out"]))
        except (KeyError, TypeError, ValueError):  # what a library printed
            return

    def _lose(self, reason: str) -> None:
        """Takes note that it goes on elsewhere, by itself; one that is lost again and again does not."""
        self._restarts = self._restarts.failed(_LOST)
        again_s = None if self._restarts.wait_s is None else 0.0
        failed = AgentFailed(agent=self.name, reason=reason, failures=self._restarts.in_row, again_s=again_s)
        self.on_event(failed)
        if again_s is None and self.process is not None:
            self._given_up = reason
            self.process.kill()

    def _end(self, code: int) -> None:
        assert self.process is not None  # noqa: S101  only a process ends
        self.process.close()
        self.process = None
        is_renewed, self._is_renewed = self._is_renewed and code == _INTERRUPTED, False
        if is_renewed and not self._is_stopping and self._given_up is None:
            return
        if self._given_up is not None:
            self._conclude("failed", self._given_up)
        elif self._is_stopping or code == _INTERRUPTED:
            self._conclude("stopped")
        elif self._is_through or code == 0:
            self._conclude("done")
        else:
            self._fail(code)

    def _fail(self, code: int) -> None:
        self._restarts = self._restarts.failed(code)
        reason = self._last_error.removeprefix("error: ") or _ended_with(code)
        self.on_event(
            AgentFailed(agent=self.name, reason=reason, failures=self._restarts.in_row, again_s=self._restarts.wait_s)
        )
        if self._restarts.wait_s is None:
            self._conclude("failed", reason)
        else:
            self._due = self.clock() + self._restarts.wait_s

    def _conclude(self, outcome: Literal["done", "stopped", "failed"], reason: str | None = None) -> None:
        self.report = AgentReport(
            agent=self.name,
            outcome=outcome,
            iterations=self._num_finished,
            failures=self._restarts.in_all,
            reason=reason,
            hint=self._last_hint if outcome == "failed" else None,
            left_out=self._left_out,
        )
        if outcome != "failed":
            self.on_event(AgentEnded(agent=self.name, stopped=outcome == "stopped"))


def _ended_with(code: int) -> str:
    """Returns in words how a process ended that did not say why."""
    if code >= 0:
        return f"it ended with exit code {code}, and no word why"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"it was ended by {name}{', as a machine does that is out of memory' if name == 'SIGKILL' else ''}"
