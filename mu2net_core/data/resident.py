"""A split's examples in memory, read in the same way as one that is streamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mu2net_core.data.source import Examples

__all__ = ["Resident"]


@dataclass(frozen=True, slots=True)
class Resident:
    """Examples that were read already, all of them."""

    examples: Examples

    @property
    def num_examples(self) -> int:
        """How many there are."""
        return len(self.examples)

    def shuffled(self, count: int, *, chunk: int, seed: int) -> Iterator[Examples]:
        """Returns an iterator over ``count`` different examples in an order drawn from a seed, ``chunk`` at a time."""
        order = np.random.Generator(np.random.Philox(seed)).permutation(len(self.examples))[:count]
        return (self._chosen(order[begin : begin + chunk]) for begin in range(0, count, chunk))

    def in_order(self, *, chunk: int, limit: int | None = None) -> Iterator[Examples]:
        """Returns an iterator over the first ``limit`` examples, or all, ``chunk`` at a time."""
        count = len(self.examples) if limit is None else min(limit, len(self.examples))
        return (self._chosen(slice(begin, min(begin + chunk, count))) for begin in range(0, count, chunk))

    def _chosen(self, which: np.ndarray | slice) -> Examples:
        return Examples(inputs=self.examples.inputs[which], labels=self.examples.labels[which])
