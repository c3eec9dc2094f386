"""When an agent that failed is started again: later each time, and at some point no more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mu2net_core.errors import ConflictError, DataError, InvalidInputError, NotFoundError

__all__ = ["MOST_FAILURES", "Restarts"]

MOST_FAILURES = 5
"""After so many failures in a row an agent is given up: one bad machine else does nothing but fail."""

_FIRST_S, _MOST_S = 1.0, 60.0
_FOR_GOOD = frozenset(error.exit_code for error in (InvalidInputError, NotFoundError, ConflictError, DataError))
"""Exit codes of what the next attempt would meet as well: wrong usage, nothing there, a conflict, unusable data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """What is remembered of an agent's failures.

    Attributes:
        in_row: failures since it last got on.
        in_all: failures.
        wait_s: how long to wait before it is started again; None if it is not.
    """

    in_row: int = 0
    in_all: int = 0
    wait_s: float | None = 0.0

    def got_on(self) -> Restarts:
        """Returns what is remembered once a generation of it is over."""
        return replace(self, in_row=0)

    def failed(self, code: int) -> Restarts:
        """Returns what is remembered after it ended with exit code ``code``, negative for a signal."""
        in_row = self.in_row + 1
        gives_up = in_row >= MOST_FAILURES or code in _FOR_GOOD
        wait_s = None if gives_up else min(_FIRST_S * 2 ** (in_row - 1), _MOST_S)
        return Restarts(in_row=in_row, in_all=self.in_all + 1, wait_s=wait_s)
