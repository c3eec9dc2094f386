"""What an exchange with a remote did, task by task, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Counter", "Exchange", "NameOutcome", "NameReport", "Progress", "TaskOutcome", "TaskReport", "Watch"]

TaskOutcome = Literal["new", "updated", "merged", "up-to-date", "ahead", "removed", "skipped"]
NameOutcome = Literal["new", "skipped", "conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """What became of one task's head.

    Attributes:
        task: its name.
        outcome: ``new``: first met; ``updated``: moved on; ``merged``: both sides had moved, now joined; ``ahead``: it
            has work the remote has not; ``removed``: the task was removed; ``skipped``: not sent, see ``reason``.
        commit: where the head stands now; None if it was skipped.
        reason: why it was skipped, or sent without being asked for.
    """

    task: str
    outcome: TaskOutcome
    commit: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameReport:
    """What became of one tag or root: its name, the snapshot or model it names, and why if it did not travel."""

    name: str
    outcome: NameOutcome
    id: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What one fetch, pull, push or merge did.

    Attributes:
        remote: its name.
        url: where it is.
        tasks: every task that was looked at, sorted by name.
        tags: every tag that is new or could not travel.
        roots: every root that is new.
        num_objects: objects that travelled.
        size_bytes: bytes of these objects.
    """

    remote: str
    url: str
    tasks: tuple[TaskReport, ...] = ()
    tags: tuple[NameReport, ...] = ()
    roots: tuple[NameReport, ...] = ()
    num_objects: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transfer is: what it is busy with (a task, ``tags`` or ``roots``), and what went through so far."""

    what: str
    num_objects: int
    size_bytes: int


Watch = Callable[[Progress], None]


class Counter:
    """Counts objects and bytes as they travel, and tells who watches."""

    def __init__(self, watch: Watch | None = None) -> None:
        self.num_objects = 0
        self.size_bytes = 0
        self._watch = watch

    def add(self, what: str, size_bytes: int) -> None:
        """Counts one more object."""
        self.num_objects += 1
        self.size_bytes += size_bytes
        if self._watch is not None:
            self._watch(Progress(what=what, num_objects=self.num_objects, size_bytes=self.size_bytes))
