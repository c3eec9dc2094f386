"""How many examples of each class, or which numbers, the splits of a task have."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mu2net_core.objects import Output

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Takes in the labels of one split.

    Attributes:
        output: of the task.
        counts: of the examples of each class, or that have each label; none of other outputs.
        least: of numbers the smallest.
        most: likewise the greatest.
        total: likewise the sum.
    """

    output: Output
    counts: np.ndarray = field(init=False)
    least: float = float("inf")
    most: float = float("-inf")
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.output.labels), np.int64)

    def add(self, label: np.ndarray) -> None:
        """Takes one label in, as it was checked."""
        if len(self.counts) and label.ndim == 0:
            self.counts[int(label)] += 1
        elif len(self.counts) and label.shape == self.counts.shape:
            self.counts += label.astype(np.int64)
        elif label.ndim == 0:
            number = float(label)
            self.least, self.most = min(self.least, number), max(self.most, number)
            self.total += number
