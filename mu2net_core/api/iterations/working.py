"""Who works on what, as leases tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mu2net_core.errors import NotFoundError
from mu2net_core.repo.leases import Held, Leases

__all__ = ["Working", "in_words", "told", "working"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An agent that works on a task, by its own account.

    Attributes:
        task: its name.
        remote: where the agent says so; None for this working copy.
        agent: who numbers its slot: the id of its working copy.
        slot: its number there.
        host: the machine's name.
        device: the kind that computes.
        method: of the search.
        iteration: that it works on.
        generation: of that, from 0.
        score: the best so far; None if there is none.
        since: when it began, UTC and ISO 8601, by the storage's own clock.
        renewed_at: when it last said so, likewise.
        for_s: seconds that it has worked.
        silent_s: seconds since its last word was first seen here.
        is_living: whether it counts as being at work: once it is silent for too long, another agent takes the task.
    """

    task: str
    remote: str | None = None
    agent: str
    slot: int
    host: str
    device: str
    method: str
    iteration: int
    generation: int
    score: float | None
    since: str
    renewed_at: str
    for_s: float
    silent_s: float
    is_living: bool

    @property
    def whole_name(self) -> str:
        """What messages call the agent."""
        return f"agent-{self.slot} of {self.host}"

    @property
    def how_long(self) -> str:
        """What messages add of the time it has worked; nothing before its second word, as none is known then."""
        return f", for {in_words(self.for_s)}" if self.for_s >= 1 else ""


def working(leases: Leases, remote: str | None = None) -> Iterator[Working]:
    """Yields who works on what in one place, by task, those that have been silent for too long included."""
    for held in leases.all():
        if not leases.is_gone(held.task, held.entry.agent):
            found = told(leases, held, remote)
            if found is not None:
                yield found


def told(leases: Leases, held: Held, remote: str | None = None) -> Working | None:
    """Returns what a lease says; None if it was given back this moment.

    No clock is compared with another: the time between the first and the last word is the storage's, and the silence
    since then was watched here.
    """
    try:
        since, renewed = leases.times(held)
    except NotFoundError:
        return None
    entry = held.entry
    return Working(
        task=held.task,
        remote=remote,
        agent=entry.agent.id,
        slot=entry.agent.slot,
        host=entry.agent.host,
        device=entry.agent.device,
        method=entry.method,
        iteration=entry.iteration,
        generation=entry.generation,
        score=entry.score,
        since=since.isoformat(timespec="seconds"),
        renewed_at=renewed.isoformat(timespec="seconds"),
        for_s=max((renewed - since).total_seconds(), 0.0) + held.silent_s,
        silent_s=held.silent_s,
        is_living=held.is_living,
    )


def in_words(seconds: float) -> str:
    """Returns a duration in its largest unit."""
    for length_s, unit in ((3600, "h"), (60, "min")):
        if seconds >= length_s:
            return f"{int(seconds // length_s)} {unit}"
    return f"{int(seconds)} s"
