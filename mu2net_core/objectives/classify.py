"""One of several classes: cross-entropy, and accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.objectives.objective import Sums
from mu2net_core.objects import Output

__all__ = ["Classify"]


@dataclass(frozen=True, slots=True)
class Classify:
    """Labels are int32 [N], the number of each example's class; outputs are logits."""

    ignores_absent: ClassVar[bool] = True

    @classmethod
    def of(cls, output: Output) -> Classify:
        """Returns the objective of tasks with that output: the same for all."""
        del output
        return cls()

    def loss(self, outputs: jax.Array, labels: jax.Array) -> jax.Array:
        """Returns float32 [N]: the cross-entropy of softmax."""
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs), labels[:, None], axis=1)[:, 0]

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how many examples are right, and how many there are."""
        right = (self.said(outputs) == labels).sum(axis=-1, dtype=np.float64)
        return {"right": right, "count": np.full(right.shape, float(len(labels)))}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the accuracy."""
        return np.asarray(sums["right"] / sums["count"])

    def said(self, outputs: np.ndarray) -> np.ndarray:
        """Returns int64 [..., N]: the likeliest class of each example; of equal ones the first."""
        likeliest: np.ndarray = outputs.argmax(axis=-1)
        return likeliest

    def probabilities(self, outputs: jax.Array) -> jax.Array:
        """Returns float32 [N, C]: the probability of each class."""
        return jax.nn.softmax(outputs)
