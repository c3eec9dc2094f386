"""What a command line did, for tests that run one in their own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Outcome", "Run"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command line exited with and printed."""

    code: int
    out: str
    err: str

    @property
    def is_harmless(self) -> bool:
        """Whether nothing was printed that a terminal would act upon."""
        return all(char.isprintable() or char in "\n\t" for char in self.out + self.err)


Run: TypeAlias = Callable[..., Outcome]
"""Runs a command line, given its words."""
