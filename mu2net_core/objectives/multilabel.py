"""Any number of several labels: binary cross-entropy, and F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.objectives.objective import Sums
from mu2net_core.objects import Output

__all__ = ["Multilabel"]


@dataclass(frozen=True, slots=True)
class Multilabel:
    """Labels are 0 or 1, [N, C]; outputs are logits, above 0 where a label is said."""

    ignores_absent: ClassVar[bool] = False

    @classmethod
    def of(cls, output: Output) -> Multilabel:
        """Returns the objective of tasks with that output: the same for all."""
        del output
        return cls()

    def loss(self, outputs: jax.Array, labels: jax.Array, smoothing: jax.Array | float = 0.0) -> jax.Array:
        """Returns float32 [N]: the binary cross-entropy of sigmoid, mean over the labels, each smoothed to 1/2."""
        truth = (1 - smoothing) * labels.astype(outputs.dtype) + smoothing / 2
        wrong = jnp.maximum(outputs, 0) - outputs * truth + jnp.log1p(jnp.exp(-jnp.abs(outputs)))
        return jnp.mean(wrong, axis=-1)

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how many labels were said rightly, how many were said, and how many there are."""
        said, truth = np.asarray(outputs) > 0, np.asarray(labels) > 0
        each = {"right": said & truth, "said": said, "true": np.broadcast_to(truth, said.shape)}
        return {name: found.sum(axis=(-2, -1), dtype=np.float64) for name, found in each.items()}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns F1 of all decisions together; 1 if there is no label and none was said."""
        both = sums["said"] + sums["true"]
        return np.where(both > 0, 2 * sums["right"] / np.maximum(both, 1), 1.0)
