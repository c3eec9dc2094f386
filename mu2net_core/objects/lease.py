"""A lease: an agent says that it works on a task from where its head is now, so that others take another one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from mu2net_core.objects.commit import Agent
from mu2net_core.version import FORMAT

__all__ = ["MOST_TTL_S", "LeaseEntry"]

MOST_TTL_S = 3_600.0
"""No lease says that it holds for longer: so long at most is a task left to an agent that is gone."""

_SESSION = re.compile(r"[0-9a-f]{32}")
_LONGEST = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEntry:
    """One file of a lease, which is never changed: it goes on with the next one.

    It binds nobody: whoever works on the task all the same loses nothing but the time.

    Attributes:
        agent: who works.
        session: random, of its process: one that was begun again is another.
        first: the number of the file that the session took the task with.
        ttl_s: so long after somebody first saw this file, by his own clock, it holds; 0 gives the task back.
        iteration: that it works on.
        generation: of that, from 0.
        score: the best so far; None if there is none.
        method: of the search.
    """

    format: int = FORMAT
    agent: Agent
    session: str
    first: int
    ttl_s: float
    iteration: int
    generation: int
    score: float | None
    method: str

    def __post_init__(self) -> None:
        if not _SESSION.fullmatch(self.session):
            raise ValueError("a lease has a session of 32 lower-case hex digits")
        if not 0 <= self.ttl_s <= MOST_TTL_S:
            raise ValueError(f"ttl_s: expected seconds up to {MOST_TTL_S:g}, got {self.ttl_s}")
        if min(self.iteration, self.generation, self.agent.slot) < 0 or self.first < 1:
            raise ValueError("a lease counts iterations, generations and slots from 0, and its files from 1")
        if self.score is not None and not isfinite(self.score):
            raise ValueError("the score of a lease is a finite number")
        if max(map(len, (self.method, self.agent.id, self.agent.host, self.agent.device))) > _LONGEST:
            raise ValueError(f"a lease has words of up to {_LONGEST} characters")
