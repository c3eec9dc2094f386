"""Where the time of a generation goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mu2net_core.events import Spent

__all__ = ["Meter"]

What = Literal["compile", "train", "validate", "wait"]


@dataclass(slots=True)
class Meter:
    """Adds up the seconds of the thread that trains, and the examples it trained on.

    Attributes:
        memory_bytes: returns how much of the device's memory was in use at most; None where it does not tell.
    """

    memory_bytes: Callable[[], int | None] = lambda: None
    compile_s: float = 0.0
    train_s: float = 0.0
    validate_s: float = 0.0
    wait_s: float = 0.0
    examples: int = 0

    @contextmanager
    def timing(self, what: What) -> Iterator[None]:
        """Adds the time of the block to ``what``, less what was added to another in it."""
        began, others = time.perf_counter(), self._sum()
        yield
        spent = time.perf_counter() - began - (self._sum() - others)
        setattr(self, f"{what}_s", getattr(self, f"{what}_s") + spent)

    def take(self) -> Spent:
        """Returns what was added up since the last time, and begins at zero."""
        spent = Spent(
            compile_s=self.compile_s,
            train_s=self.train_s,
            validate_s=self.validate_s,
            wait_s=self.wait_s,
            examples=self.examples,
            examples_per_s=self.examples / self.train_s if self.train_s else 0.0,
            device_bytes=self.memory_bytes(),
        )
        self.compile_s = self.train_s = self.validate_s = self.wait_s = 0.0
        self.examples = 0
        return spent

    def _sum(self) -> float:
        return self.compile_s + self.train_s + self.validate_s + self.wait_s
