"""Renewing leases in a thread of its own: training may be inside one long dispatch for as long as it likes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Event, Thread

from mu2net_core.errors import Mu2netError
from mu2net_core.repo.leases.leases import Lease

__all__ = ["Keeper"]

_SHARE = 3
_GAP = 12
_PATIENCE_S = 6 * 3600.0
"""So long an agent may be heard nothing of at first: it may read data, or compile."""
_SLOWER = 10


@dataclass(slots=True, kw_only=True)
class Keeper(AbstractContextManager["Keeper"]):
    """Keeps leases on one task alive inside a ``with`` block, and gives them back at its end.

    A file is made for every generation, if they are not shorter than a twelfth of ``ttl_s``, and in any case after a
    third of that. A storage that fails is asked again then.

    This thread also lives on in an agent that hangs, say in a network drive that does not answer. So it does not renew
    what it has heard nothing of for six hours, and for ten times longer than between any two signs before: others take
    the task then. Once the agent is heard of again, its leases are.

    Attributes:
        leases: of one task, in several places.
        clock: seconds.
        trouble: what went wrong last, by the URL of the place; nothing of it stops anything.
    """

    leases: Sequence[Lease]
    clock: Callable[[], float] = time.monotonic
    trouble: dict[str, Mu2netError] = field(default_factory=dict)
    _told: tuple[int, float | None] = (0, None)
    _said: tuple[int, float | None] = (0, None)
    _last: float = 0.0
    _heard: float = 0.0
    _patience_s: float = _PATIENCE_S
    _wake: Event = field(default_factory=Event)
    _over: bool = False
    _thread: Thread | None = None

    def __post_init__(self) -> None:
        self._last = self._heard = self.clock()

    @property
    def lost(self) -> tuple[Lease, ...]:
        """Those that somebody else took over meanwhile."""
        return tuple(lease for lease in self.leases if lease.taken_by is not None)

    def tell(self, generation: int, score: float | None) -> None:
        """Notes how far the work is; returns at once."""
        self._told = (generation, score)
        self._wake.set()

    def hear(self) -> None:
        """Notes that the agent is at work."""
        now = self.clock()
        self._patience_s, self._heard = max(self._patience_s, _SLOWER * (now - self._heard)), now

    def step(self) -> float:
        """Renews the leases if it is time; returns in how many seconds it is again."""
        ttl_s = min((lease.entry.ttl_s for lease in self.leases), default=0.0)
        now, told = self.clock(), self._told
        due = self._last + ttl_s / (_SHARE if told == self._said else _GAP)
        if now < due:
            return due - now
        if now - self._heard > self._patience_s:
            return ttl_s / _SHARE
        for lease in self.leases:
            self._renew(lease, *told)
        self._last, self._said = now, told
        return ttl_s / _SHARE

    def __enter__(self) -> Keeper:
        """Starts the thread, which ends with the process if nobody ends it before."""
        if self.leases:
            self._thread = Thread(target=self._run, name="mu2net-leases", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Ends the thread and gives the leases back."""
        self._over = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        for lease in self.leases:
            lease.release()

    def _run(self) -> None:
        while not self._over:
            self._wake.wait(self.step())
            self._wake.clear()

    def _renew(self, lease: Lease, generation: int, score: float | None) -> None:
        try:
            lease.renew(generation=generation, score=score)
            self.trouble.pop(lease.leases.store.url, None)
        except Mu2netError as exc:
            self.trouble[lease.leases.store.url] = exc
