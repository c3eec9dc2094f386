"""An agent that watches: it takes in what others shared, and waits while there is nothing to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event as Flag

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.turns import Turn, Turns
from mu2net_core.api.sharing.pull import pull
from mu2net_core.errors import Mu2netError
from mu2net_core.events import AgentWaiting, Event
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import connect, find_remote

__all__ = ["PULL_PERIOD_S", "KeepingUp", "Watching"]

PULL_PERIOD_S = 60.0
"""All agents of a working copy together look once in so many seconds, at most, whether there is anything to pull."""

_LOOK_PERIOD_S = 5.0
_NOTE = "pulled"


@dataclass(slots=True)
class KeepingUp:
    """Pulls now and then; what goes wrong with that stops nothing.

    Refs are files that are never changed, so one listing of their names says whether anything is new.

    Attributes:
        repo: where to.
        context: of this process, warned of pulls that fail.
        remote: the name of the remote.
    """

    repo: Repository
    context: Context
    remote: str
    _seen: frozenset[str] | None = None
    _said: str | None = None

    def __call__(self) -> None:
        """Pulls if there is something new, unless an agent of this working copy did lately."""
        if not self._is_due():
            return
        try:
            there = connect(find_remote(self.repo.config, self.remote), limits=self.repo.limits)
            names = frozenset(there.store.list("refs"))
            if names != self._seen:
                pull(self.repo, self.context, self.remote)
            self._seen, self._said = names, None
        except Mu2netError as exc:
            if exc.message != self._said:
                self.context.warn(f"nothing is pulled from {self.remote} for now: {exc.message}")
            self._said = exc.message

    def _is_due(self) -> bool:
        """Returns whether it is time; then it is noted before, so that no other agent does it at the same time."""
        note, now_s = self.repo.state / _NOTE, self.context.now().timestamp()
        try:
            age_s = now_s - note.stat().st_mtime
        except OSError:
            age_s = PULL_PERIOD_S
        if 0 <= age_s < PULL_PERIOD_S:
            return False
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
        os.utime(note, (now_s, now_s))  # a disk of another machine has a clock of its own
        return True


@dataclass(slots=True, kw_only=True)
class Watching:
    """Turns that never end: where there is nothing to do, they wait until there is, or until it is over.

    Attributes:
        turns: that there are now.
        keep_up: takes in what others did.
        is_over: whether to wait no longer.
        stop: set by whoever wants this process to end.
        on_event: told when it begins to wait.
        period_s: between two looks while it waits.
    """

    turns: Turns
    keep_up: Callable[[], None]
    is_over: Callable[[], bool]
    stop: Flag
    on_event: Callable[[Event], None]
    period_s: float = _LOOK_PERIOD_S

    def next(self) -> Turn | None:
        """Returns the next iteration; None only when it is over."""
        is_waiting = False
        while not self.is_over():
            self.keep_up()
            turn = self.turns.next()
            if turn is not None:
                return turn
            if not is_waiting:
                self.on_event(AgentWaiting())
            is_waiting = True
            self.stop.wait(self.period_s)
        return None

    def drop(self, task: str) -> None:
        """Leaves a task out until its head moves."""
        self.turns.drop(task)

    def left(self) -> tuple[str, ...]:
        """Returns the tasks that want an iteration."""
        return self.turns.left()
