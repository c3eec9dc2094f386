"""Where supervisors on a cluster tell what their agents say, and learn whether these are to end: a Ray actor.

Each attempt at an order tells under a name of its own: of one whose node was lost, or seems so, what comes late can be
told apart from what the next one says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from mu2net_core.api.pool.process import Said

__all__ = ["Heard", "Sink", "Wish"]

Wish = Literal["go", "stop", "kill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Something that the agent of a run said, in one attempt at it."""

    run: int
    attempt: str
    said: Said


@dataclass(slots=True)
class Sink:
    """Keeps what was told until it is taken."""

    _told: list[Heard] = field(default_factory=list)
    _wishes: dict[int, Wish] = field(default_factory=dict)
    _ends: dict[int, float] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self, run: int, left_s: float | None) -> None:
        """Takes note of a run, and of how long it has from now on."""
        self._wishes[run] = "go"
        if left_s is not None:
            self._ends[run] = time.monotonic() + left_s

    async def left_s(self, run: int) -> float | None:
        """Returns how long a run still has; None if it has no end."""
        return max(self._ends[run] - time.monotonic(), 0.0) if run in self._ends else None

    async def tell(self, run: int, attempt: str, said: Sequence[Said]) -> Wish:
        """Takes in what an agent said; returns what is wished of it. One whose run is over is to end at once."""
        self._told += [Heard(run=run, attempt=attempt, said=one) for one in said]
        if said:
            self._news.set()
        return self._wishes.get(run, "kill")

    async def wish(self, run: int, wish: Wish) -> None:
        """Has the agent of a run told so."""
        if run in self._wishes:
            self._wishes[run] = wish

    async def end(self, run: int) -> None:
        """Takes note that a run is over."""
        self._wishes.pop(run, None)
        self._ends.pop(run, None)

    async def news(self) -> None:
        """Returns once there is something to take."""
        await self._news.wait()

    async def take(self) -> tuple[Heard, ...]:
        """Returns what was told since the last time, in order."""
        told, self._told = tuple(self._told), []
        self._news.clear()
        return told
