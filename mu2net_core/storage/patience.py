"""How long to go on asking a storage that does not answer well."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import SystemRandom

from mu2net_core.storage.backend import Trouble

__all__ = ["Patience"]

_FIRST_S, _LONGEST_S = 0.05, 4.0
_TRIES = 20
_PATIENCE_S = {Trouble.AWAY: 16.0, Trouble.LOST: 16.0, Trouble.BUSY: 60.0, Trouble.THERE: 60.0}
_FIRST_CONTACT_S, _FIRST_CONTACT_TRIES = 2.0, 5
_LEAST_TRIES = 3  # where the network is slow or the machine busy one alone may take longer than that


class Patience:
    """Waits ever longer between attempts, each time a random part of it, and not for ever.

    A storage that answers "not now" gets up to a minute. One that does not answer at all gets no new attempt after
    16 seconds, so that with its timeouts a dead one is an error within about half a minute; one that was never reached
    before, whose address may be wrong, after 2, but not before the third attempt.

    Attributes:
        attempts: how many failed.
    """

    def __init__(self, sleep: Callable[[float], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._sleep, self._clock = sleep, clock
        self._began = clock()
        self.attempts = 0

    def again(self, trouble: Trouble, *, was_reached: bool = True) -> bool:
        """Returns whether to try again after this failure, having waited for the right moment.

        Args:
            trouble: the failure.
            was_reached: whether this storage ever answered this process.
        """
        self.attempts += 1
        if trouble is Trouble.AWAY and not was_reached:
            most = _FIRST_CONTACT_TRIES if self.elapsed_s <= _FIRST_CONTACT_S else _LEAST_TRIES
            if self.attempts >= most:
                return False
        if self.attempts >= _TRIES or self.elapsed_s > _PATIENCE_S.get(trouble, 0.0):
            return False
        self._sleep(SystemRandom().uniform(0, min(_LONGEST_S, _FIRST_S * 2**self.attempts)))
        return True

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first attempt began."""
        return self._clock() - self._began

    def __str__(self) -> str:
        """Returns how often and how long, in words."""
        return f"{self.attempts} attempt{'s' * (self.attempts != 1)} in {self.elapsed_s:.0f} s"
