"""Leases on the tasks of one repository: taken, renewed and given back by creating files, and by nothing else.

They are advice. Where two take a task at the same moment, one of them creates the file and the other sees that. Who is
silent for too long is overtaken, and may go on all the same: what it finds late is merged.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from threading import Lock

from mu2net_core.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConflictError,
    CorruptObjectError,
    InvalidInputError,
    Mu2netError,
    NotFoundError,
)
from mu2net_core.objects import LIMITS, Agent, LeaseEntry, encode
from mu2net_core.repo.core import LEASES, Refs, decode_formatted
from mu2net_core.repo.leases.keys import lease_key, newest_files, parse_lease_key, remove_leases
from mu2net_core.repo.leases.observer import Observer
from mu2net_core.storage import Store

__all__ = ["Held", "Lease", "Leases"]

TTL_S = 180.0
"""So long a lease holds after somebody saw its newest file; its holder makes one in a third of that."""
_RACES = 100


def _new_session() -> str:
    """Returns the random name of a session: of one agent, as long as its process lives."""
    return secrets.token_hex(16)


def _nobody(_task: str, _agent: Agent) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A task that somebody works on.

    Attributes:
        task: its name.
        number: of its head's newest entry.
        k: of the lease's newest file.
        entry: what that says.
        silent_s: how long ago that was first seen here; at ``entry.ttl_s`` its holder counts as gone.
    """

    task: str
    number: int
    k: int
    entry: LeaseEntry
    silent_s: float

    @property
    def is_living(self) -> bool:
        """Whether its holder counts as being at work."""
        return self.silent_s < self.entry.ttl_s


@dataclass(slots=True, kw_only=True)
class Leases:
    """The leases of one repository, as one agent sees and takes them.

    Attributes:
        store: of the repository.
        refs: its heads, which are the fence.
        agent: that takes them.
        session: its process's.
        observer: since when others are silent.
        is_gone: tells of a task and an agent whether that is known not to work on it, whatever its lease says.
        ttl_s: how long those that it takes hold.
    """

    store: Store
    refs: Refs
    agent: Agent
    session: str = field(default_factory=_new_session)
    observer: Observer = field(default_factory=Observer)
    is_gone: Callable[[str, Agent], bool] = _nobody
    ttl_s: float = TTL_S
    _read: dict[str, tuple[int, int, LeaseEntry | None]] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def acquire(self, task: str, *, iteration: int, method: str, score: float | None = None) -> Lease | Held:
        """Takes a task, unless somebody else works on it; returns the lease, or who has it.

        To be called by the one process that works on the task as this agent: an earlier one's lease is its own, then.

        Args:
            task: its name.
            iteration: that is to be worked on.
            method: of the search.
            score: of the model there is.

        Raises:
            NotFoundError: this repository has no such task, so that nobody can take it here.
            AccessDeniedError: permissions forbid it.
            StorageError: the storage fails.
        """
        number, newest = self._place(task)
        entry = LeaseEntry(
            agent=self.agent,
            session=self.session,
            first=1,
            ttl_s=self.ttl_s,
            iteration=iteration,
            generation=0,
            score=score,
            method=method,
        )
        claimed = self.claim(task, number, lambda k: replace(entry, first=k), newest=newest)
        if isinstance(claimed, Held):
            return claimed
        return Lease(leases=self, task=task, number=number, k=claimed, entry=replace(entry, first=claimed))

    def living(self) -> tuple[Held, ...]:
        """Returns what others, and this agent, work on: by task, sorted. One listing, and a read for what is new."""
        return tuple(held for held in self.all() if self._is_living(held))

    def all(self) -> tuple[Held, ...]:
        """Returns likewise what was not given back, silent ones and those of agents that are gone included."""
        found = newest_files(self.store.list(LEASES))
        looked = (self._look(task, number, k) for task, number, k in self._on_heads(found))
        return tuple(held for held in looked if held is not None and held.entry.ttl_s > 0)

    def holder(self, task: str) -> Held | None:
        """Returns which other process works on a task; None if none does."""
        number = self.refs.number(task)
        k = self._newest(task, number) if number else 0
        held = self._look(task, number, k) if k else None
        return held if held is not None and self._is_living(held) and held.entry.session != self.session else None

    def times(self, held: Held) -> tuple[datetime, datetime]:
        """Returns since when a task is worked on, and when that was last said, by the storage's own clock.

        Raises:
            NotFoundError: the lease is gone meanwhile.
        """
        first = min(held.entry.first, held.k)
        since, said = (self.store.modified(lease_key(held.task, held.number, k)) for k in (first, held.k))
        return since, said

    def claim(
        self, task: str, number: int, entry_of: Callable[[int], LeaseEntry], *, newest: int | None = None
    ) -> int | Held:
        """Creates the file after the newest of a lease, unless somebody else works; returns its number, or who.

        Args:
            task: its name.
            number: of its head's newest entry.
            entry_of: returns what file ``k`` is to say.
            newest: the newest file, if that is known.
        """
        for _ in range(_RACES):
            newest = self._newest(task, number) if newest is None else newest
            held = self._other(task, number, newest)
            if held is not None:
                return held
            with suppress(AlreadyExistsError):
                self.store.create(lease_key(task, number, newest + 1), encode(entry_of(newest + 1)))
                return newest + 1
            newest = None
        raise ConflictError(f"Others kept taking {task} in {self.store.url}.", hint="Try again.")

    def remove(self, task: str, number: int) -> None:
        """Deletes the files of a lease that is over, where that is allowed."""
        with suppress(AccessDeniedError):
            remove_leases(self.store, list(self.store.list(f"{LEASES}/{task}/{number:08d}")))

    def _place(self, task: str) -> tuple[int, int]:
        """Returns the number of a task's head, and of the newest file there; deletes what is over of the task."""
        number = self.refs.number(task)
        if not number:
            raise NotFoundError(f"There is no task {task!r} in {self.store.url}.")
        keys = {key: place for key in self.store.list(f"{LEASES}/{task}") if (place := parse_lease_key(key))}
        own = {key: place[1] for key, place in keys.items() if place[0] == task}
        if max(own.values(), default=0) > number:  # the head moved between the looks, or somebody made that up
            number = self.refs.number(task)
        with suppress(AccessDeniedError):
            remove_leases(self.store, [key for key, there in own.items() if there < number])
        return number, newest_files(own).get(task, {}).get(number, 0)

    def _newest(self, task: str, number: int) -> int:
        folder = f"{LEASES}/{task}/{number:08d}"
        return newest_files(self.store.list(folder)).get(task, {}).get(number, 0)

    def _on_heads(self, found: Mapping[str, Mapping[int, int]]) -> Iterable[tuple[str, int, int]]:
        """Yields task, number and newest file of leases where heads are now, as far as that is known.

        A head is only asked for when a lease is ahead of what is known of it: one look costs one listing, then.
        """
        for task, own in sorted(found.items()):
            if max(own) > self._numbers.get(task, 0):
                self._numbers[task] = self.refs.number(task)
            number = self._numbers[task]
            if own.get(number):
                yield task, number, own[number]

    def _other(self, task: str, number: int, k: int) -> Held | None:
        """Returns who holds a lease by its newest file, unless that is over, unreadable, or of this agent."""
        held = self._look(task, number, k) if k else None
        if held is None or not self._is_living(held):
            return None
        by = held.entry.agent
        return None if (by.id, by.slot) == (self.agent.id, self.agent.slot) else held

    def _is_living(self, held: Held) -> bool:
        return held.is_living and not self.is_gone(held.task, held.entry.agent)

    def _look(self, task: str, number: int, k: int) -> Held | None:
        known = self._read.get(task)
        if known is None or known[:2] != (number, k):
            known = self._read[task] = (number, k, self._entry(lease_key(task, number, k)))
        entry = known[2]
        if entry is None:
            return None
        silent_s = self.observer.age_s(task, number, k) if entry.ttl_s > 0 else 0.0
        return Held(task=task, number=number, k=k, entry=entry, silent_s=silent_s)

    def _entry(self, key: str) -> LeaseEntry | None:
        """Returns what a file of a lease says; None if that cannot be read: it counts for nothing."""
        try:
            data = self.store.read(key, limit=LIMITS.ref_bytes)
            return decode_formatted(LeaseEntry, data, what=key)
        except (CorruptObjectError, InvalidInputError, NotFoundError):
            return None


@dataclass(slots=True, kw_only=True)
class Lease:
    """A task that this agent has taken; usable from several threads.

    Attributes:
        leases: where it was taken.
        task: its name.
        number: of its head's newest entry then.
        k: of the newest file made.
        entry: what that says.
        taken_by: who took the task over meanwhile; None if nobody did.
    """

    leases: Leases
    task: str
    number: int
    k: int
    entry: LeaseEntry
    taken_by: Held | None = None
    _said_at: float = field(init=False, repr=False)
    _busy: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self._said_at = self.leases.observer.clock()

    @property
    def is_heeded(self) -> bool:
        """Whether others leave the task alone: it was neither given back nor taken over, nor silent for too long."""
        return self.taken_by is None and self.leases.observer.clock() - self._said_at < self.entry.ttl_s

    def renew(self, *, generation: int | None = None, score: float | None = None) -> bool:
        """Says that the work goes on, and how far it is; returns False once somebody else has taken the task over.

        Args:
            generation: that is worked on; by default as said before.
            score: the best so far; likewise.

        Raises:
            AccessDeniedError: permissions forbid it.
            StorageError: the storage fails; it may be said again.
        """
        with self._busy:
            entry = replace(
                self.entry,
                generation=self.entry.generation if generation is None else generation,
                score=self.entry.score if score is None else score,
            )
            return self._append(entry)

    def release(self) -> None:
        """Gives the task back: files of a lease that is over are deleted, or one says so; failures are no matter.

        Whoever looks later finds it silent.
        """
        with self._busy, suppress(Mu2netError):
            if self.taken_by is not None:
                return
            if self.leases.refs.number(self.task) > self.number:
                self.leases.remove(self.task, self.number)
            if self.leases.store.exists(lease_key(self.task, self.number, self.k)):
                self._append(replace(self.entry, ttl_s=0.0))
            self._said_at = -inf

    def _append(self, entry: LeaseEntry) -> bool:
        if self.taken_by is not None:
            return False
        try:
            self.leases.store.create(lease_key(self.task, self.number, self.k + 1), encode(entry))
            claimed: int | Held = self.k + 1
        except AlreadyExistsError:
            claimed = self.leases.claim(self.task, self.number, lambda _k: entry)
        if isinstance(claimed, Held):
            self.taken_by = claimed
            return False
        self.k, self.entry, self._said_at = claimed, entry, self.leases.observer.clock()
        return True
