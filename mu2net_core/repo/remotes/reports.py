"""What an exchange with a remote did, task by task, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mu2net_core.errors import ConflictError, CorruptObjectError, Mu2netError

__all__ = [
    "Counter",
    "Exchange",
    "ExchangeConflictError",
    "NameOutcome",
    "NameReport",
    "Parcel",
    "ParcelOutcome",
    "Progress",
    "PushPlan",
    "RemoteBehindError",
    "TaskOutcome",
    "TaskReport",
    "Watch",
    "broken_report",
    "broken_wins",
    "is_whole",
    "why_broken",
]

TaskOutcome = Literal[
    "new",
    "updated",
    "merged",
    "up-to-date",
    "ahead",
    "removed",
    "skipped",
    "refused",
    "conflict",
    "unchanged",
    "broken",
]
NameOutcome = Literal["new", "skipped", "conflict", "refused", "broken"]
ParcelOutcome = Literal["new", "updated", "removed", "up-to-date", "skipped", "merge", "conflict", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """What became of one task's head.

    Attributes:
        task: its name.
        outcome: ``new``: first met; ``updated``: moved on; ``merged``: both sides had moved, now joined; ``ahead``: it
            has work the remote has not; ``removed``: the task was removed; ``skipped``: not sent, see ``reason``;
            ``refused``: not taken over, since it is not signed as it has to be; ``conflict``: both sides moved, and are
            not joined; ``broken``: what is there of it, or here, is damaged, foreign or cannot be right;
            ``unchanged``: nothing of it is to be sent, and it was not compared with what is there.
        commit: where the head stands now; None if it was skipped or refused, or not looked at.
        reason: why it was skipped, refused or not joined, or sent without being asked for; or what was left behind.
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
        restored: what the remote had lost of all that was seen of it, and a push sent again, in words.
        missing: what it lost and a push could not send again.
        num_objects: objects that travelled.
        size_bytes: bytes of these objects.
    """

    remote: str
    url: str
    tasks: tuple[TaskReport, ...] = ()
    tags: tuple[NameReport, ...] = ()
    roots: tuple[NameReport, ...] = ()
    restored: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    num_objects: int = 0
    size_bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out because it is broken, or not signed as it has to be."""
        return is_whole(self.tasks, self.tags, self.roots)


def is_whole(tasks: Iterable[TaskReport], *names: Iterable[NameReport]) -> bool:
    """Returns whether no report tells of something that is broken, or not signed as it has to be."""
    outcomes: set[str] = {report.outcome for report in tasks}
    outcomes |= {report.outcome for reports in names for report in reports}
    return not outcomes & {"broken", "refused"}


def broken_report(task: str, error: Mu2netError) -> TaskReport:
    """Returns the report of a task of which nothing was taken over, because of ``error``."""
    return TaskReport(task=task, outcome="broken", reason=why_broken(error))


def why_broken(error: Mu2netError) -> str:
    """Returns what is wrong, and how to have it all the same where that is a setting."""
    hint = error.hint or ""
    return f"{error.message} {hint}" if "config set limits." in hint else error.message


def broken_wins(fetched: Iterable[TaskReport], merged: Iterable[TaskReport]) -> tuple[TaskReport, ...]:
    """Returns what became of each task here; what is to be told of it there is told, too, and wins if it is broken."""
    told = {report.task: report.reason for report in fetched}
    reports = {report.task: replace(report, reason=report.reason or told.get(report.task)) for report in merged}
    reports |= {report.task: report for report in fetched if report.outcome == "broken"}
    return tuple(reports[task] for task in sorted(reports))


class ExchangeConflictError(ConflictError):
    """Some heads, or tags, could not be joined; all else was done.

    Attributes:
        done: what was done, and what was not.
    """

    def __init__(self, conflicts: Sequence[ConflictError], done: Exchange) -> None:
        """Takes what stood in the way; the hint is the first one's."""
        super().__init__(" ".join(exc.message for exc in conflicts), hint=conflicts[0].hint)
        self.done = done


class RemoteBehindError(CorruptObjectError):
    """A remote is behind what was seen of it; what it has beyond that was fetched.

    Attributes:
        done: what was done.
    """

    def __init__(self, error: CorruptObjectError, done: Exchange) -> None:
        """Takes what is to be said of it."""
        super().__init__(error.message, hint=error.hint)
        self.done = done


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What a push would send for one task, root or tag.

    Attributes:
        name: of the task, root or tag.
        outcome: what would become of it there; ``merge``: it moved there, too, and is joined first;
            ``conflict``: that moved, too, and cannot be joined; ``broken``: what is here or there of it is damaged.
        num_components: that would be sent.
        num_manifests: likewise.
        size_bytes: of both.
        reason: why it would not be sent, or be sent without being asked for.
    """

    name: str
    outcome: ParcelOutcome
    num_components: int = 0
    num_manifests: int = 0
    size_bytes: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPlan:
    """What a push would send.

    Attributes:
        remote: its name.
        url: where it is.
        tasks: every task that was looked at, in the order they would be sent.
        tags: every tag that is new or may not be sent.
        roots: every root that is new.
        lost: what the remote lost of all that was seen of it, in words: it would be sent again, if it is here.
        num_objects: that would be sent, before anything is joined.
        size_bytes: of these.
    """

    remote: str
    url: str
    tasks: tuple[Parcel, ...]
    tags: tuple[Parcel, ...]
    roots: tuple[Parcel, ...]
    lost: tuple[str, ...]
    num_objects: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transfer is.

    Attributes:
        what: it is busy with: a task, several, ``tags`` or ``roots``.
        num_objects: that went through so far.
        size_bytes: of these.
        total_objects: how many it will be, as far as is known by now; None where that shows only on the way.
        total_bytes: of these, where it is known.
    """

    what: str
    num_objects: int
    size_bytes: int
    total_objects: int | None = None
    total_bytes: int | None = None


Watch = Callable[[Progress], None]


class Counter:
    """Counts objects and bytes as they travel, and tells who watches."""

    def __init__(self, watch: Watch | None = None) -> None:
        self.num_objects = 0
        self.size_bytes = 0
        self._expected_objects = 0
        self._expected_bytes = 0
        self._watch = watch

    def begin(self, num_objects: int, size_bytes: int) -> None:
        """Counts what travelled before this counter was there; whoever watches knows of it."""
        self.num_objects, self.size_bytes = num_objects, size_bytes
        self._expected_objects, self._expected_bytes = num_objects, size_bytes

    def expect(self, num_objects: int, size_bytes: int) -> None:
        """Learns of objects that are going to travel, beyond those it knows of."""
        self._expected_objects += num_objects
        self._expected_bytes += size_bytes

    def add(self, what: str, size_bytes: int) -> None:
        """Counts one more object."""
        self.num_objects += 1
        self.size_bytes += size_bytes
        if self._watch is not None:
            self._watch(self._progress(what))

    def _progress(self, what: str) -> Progress:
        known = self._expected_objects > 0
        return Progress(
            what=what,
            num_objects=self.num_objects,
            size_bytes=self.size_bytes,
            total_objects=max(self._expected_objects, self.num_objects) if known else None,
            total_bytes=max(self._expected_bytes, self.size_bytes) if known else None,
        )
