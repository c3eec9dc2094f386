"""Who evolves: what tells one agent from the others that work on the same system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from mu2net_core.errors import InvalidInputError
from mu2net_core.events import Event
from mu2net_core.objects import LARGEST_COUNT, Agent

__all__ = ["AgentSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """An agent, whatever process or machine it runs on.

    Attributes:
        slot: its number among the agents of a working copy, from 0. Its children, its unfinished work and what it
            counts go by that alone, so that another process can take the slot over.
        tasks: that it improves, in order.
        devices: those of this machine it computes on, by JAX's numbers; all of them if None.
    """

    slot: int = 0
    tasks: tuple[str, ...]
    devices: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.slot <= LARGEST_COUNT:
            raise InvalidInputError(f"Expected the slot of an agent, a number from 0, got {self.slot}.")

    @property
    def name(self) -> str:
        """What its events name it."""
        return f"agent-{self.slot}"

    def of(self, committer: Agent, device: str) -> Agent:
        """Returns what a commit says of it, that ``committer`` makes of what the kind of ``device`` computed."""
        return replace(committer, device=device, slot=self.slot)

    def telling(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """Returns a listener that tells ``on_event`` of the same, in the agent's name."""
        return lambda event: on_event(replace(event, agent=self.name))
