"""What an objective must offer. ``N`` is the number of examples, ``C`` of outputs, ``...`` of models side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import jax
import numpy as np

__all__ = ["Objective", "Sums", "add"]

Sums = Mapping[str, np.ndarray]
"""What quality is made of, by name: float64 [...], or [..., M] of M of each, additive over examples."""


class Objective(Protocol):
    """What a model's outputs are worth. A hashable value: programs that compute its loss are kept by it.

    Attributes:
        ignores_absent: whether further outputs far below all others change nothing: no loss, no gradient of it, no
            quality. Then tasks of different numbers of outputs are trained by one program.
    """

    ignores_absent: ClassVar[bool]

    def loss(self, outputs: jax.Array, labels: jax.Array, smoothing: jax.Array | float = 0.0) -> jax.Array:
        """Returns float32 [N]: the loss of each example, finite if its outputs are; traced by JAX.

        Args:
            outputs: float32 [N, C].
            labels: of the N examples, as the objective has them.
            smoothing: float32 [], from 0 to 1: the share of each label that is spread evenly over all there could be;
                an objective whose labels cannot be spread passes over it.
        """
        ...

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns what quality is made of, summed over examples; and their ``loss``, where that tells equals apart.

        Args:
            outputs: float32 [..., N, C].
            labels: of the N examples, as the objective has them.
        """
        ...

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns float64 [...] in [0, 1], more is better, of the sums of one example at least."""
        ...


def add(one: Sums, other: Sums) -> Sums:
    """Returns the sums of two parts together."""
    return {name: value + other[name] for name, value in one.items()}
