"""What is told of a pool of agents, beside what they say themselves."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.events import Event, Happening

__all__ = ["AgentEnded", "AgentFailed", "AgentRemark", "AgentStarted", "PoolEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStarted(Happening):
    """The process of an agent of a pool was started.

    Attributes:
        process: its number.
        cores: that are set aside for it.
        host: the machine it runs on; None for the pool's.
    """

    process: int
    cores: tuple[int, ...]
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRemark(Happening):
    """An agent of a pool, or a library in it, wrote a line to stderr."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFailed(Happening):
    """An agent of a pool ended as it should not, for the ``failures``-th time in a row.

    Attributes:
        reason: why, as far as it is known.
        failures: in a row; a generation that is over begins a new row.
        again_s: so many seconds later it is started again; None if it is given up.
    """

    reason: str
    failures: int
    again_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEnded(Happening):
    """An agent of a pool is through with its work, or was ``stopped`` before."""

    stopped: bool


PoolEvent = Event | AgentStarted | AgentRemark | AgentFailed | AgentEnded
"""What is told of a pool: what its agents say, and what becomes of them."""
