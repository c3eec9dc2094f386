"""An agent that watches: it takes in what others shared, and waits while there is nothing to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event as Flag
from typing import TYPE_CHECKING

from mu2net_core.api.context import Context
from mu2net_core.api.quiet import ignore
from mu2net_core.api.sharing.pull import pull
from mu2net_core.errors import AccessDeniedError, Mu2netError, StorageError
from mu2net_core.events import AgentWaiting, Event
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import connect, find_remote
from mu2net_core.storage import translated

if TYPE_CHECKING:
    from mu2net_core.api.evolving.turns import Turn, Turns  # the engine comes along, which a pool does without

__all__ = ["PULL_PERIOD_S", "KeepingUp", "Watching"]

PULL_PERIOD_S = 60.0
"""All agents of a working copy together look once in so many seconds, at most, whether there is anything to pull."""

_LOOK_PERIOD_S = 5.0
_NOTE = "pulled"


@dataclass(slots=True)
class KeepingUp:
    """Pulls now and then, and pushes what should have been pushed before; what goes wrong with that stops nothing.

    Refs are files that are never changed, so one listing of their names says whether anything is new.

    Attributes:
        repo: where to.
        context: of this process, warned of pulls that fail.
        remote: the name of the remote.
        push_rest: pushes what the remote lacks, once that is known to be within reach.
    """

    repo: Repository
    context: Context
    remote: str
    push_rest: Callable[[], None] = ignore
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
            self._say(exc)
            if isinstance(exc, StorageError):
                return  # which a push would meet as well
        try:
            self.push_rest()
        except Mu2netError as exc:
            self._say(exc)

    def _say(self, exc: Mu2netError) -> None:
        if exc.kind != self._said:  # of which the words differ each time: how often and how long it was tried
            self.context.warn(f"nothing is pulled from {self.remote} for now: {exc.message}")
        self._said = exc.kind

    def _is_due(self) -> bool:
        """Returns whether it is time; then it is noted before, so that no other agent does it at the same time."""
        note, now_s = self.repo.state / _NOTE, self.context.now().timestamp()
        try:
            age_s = now_s - note.stat().st_mtime
        except OSError:
            age_s = PULL_PERIOD_S
        if 0 <= age_s < PULL_PERIOD_S:
            return False
        with translated("write", note):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.touch()
            os.utime(note, (now_s, now_s))  # a disk of another machine has a clock of its own
        return True


@dataclass(slots=True, kw_only=True)
class Watching:
    """Turns that never end: where there is nothing to do, or the disk fails, they wait until it is otherwise, or over.

    Attributes:
        turns: that there are now.
        keep_up: takes in what others did.
        is_over: whether to wait no longer.
        stop: set by whoever wants this process to end.
        on_event: told when it begins to wait.
        warn: told what keeps it from beginning anything.
        period_s: between two looks while it waits.
    """

    turns: Turns
    keep_up: Callable[[], None]
    is_over: Callable[[], bool]
    stop: Flag
    on_event: Callable[[Event], None]
    warn: Callable[[str], None] = ignore
    period_s: float = _LOOK_PERIOD_S
    _is_told: bool = False

    def next(self) -> Turn | None:
        """Returns the next iteration; None only when it is over."""
        is_waiting = False
        while not self.is_over():
            turn = self._next()
            if turn is not None:
                return turn
            if not is_waiting:
                self.on_event(AgentWaiting())
            is_waiting = True
            self.stop.wait(self.period_s)
        return None

    def _next(self) -> Turn | None:
        """Returns the next iteration; None if there is none now, or the disk fails."""
        try:
            self.keep_up()
            turn = self.turns.next()
        except (AccessDeniedError, StorageError) as exc:
            if not self._is_told:
                self.warn(f"nothing can be begun for now: {exc.message}")
            self._is_told = True
            return None
        self._is_told = False
        return turn

    def drop(self, task: str) -> None:
        """Leaves a task out until its head moves."""
        self.turns.drop(task)

    def rest(self, task: str) -> None:
        """Leaves a task out for a while."""
        self.turns.rest(task)

    def left(self) -> tuple[str, ...]:
        """Returns the tasks that want an iteration."""
        return self.turns.left()
