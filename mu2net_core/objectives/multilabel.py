"""Any number of several labels: binary cross-entropy; F1, and the mean of the labels' average precision.

``K`` is the number of labels, beside the letters of ``objective.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.objectives.objective import Sums
from mu2net_core.objectives.steps import STEPS, mean_of, ranked
from mu2net_core.objects import Output

__all__ = ["MeanAveragePrecision", "Multilabel", "average_precisions"]


@dataclass(frozen=True, slots=True)
class Multilabel:
    """Labels are 0 or 1, [N, K]; outputs are logits, above 0 where a label is said. Measured by F1.

    Attributes:
        weights: how much of each label the examples that have it count in the loss, against 1 of those that have not;
            None: as much. Quality knows nothing of it.
    """

    ignores_absent: ClassVar[bool] = False

    weights: tuple[float, ...] | None = None

    @classmethod
    def of(cls, output: Output) -> Self:
        """Returns the objective of tasks with that output: the same for all."""
        del output
        return cls()

    def loss(self, outputs: jax.Array, labels: jax.Array, smoothing: jax.Array | float = 0.0) -> jax.Array:
        """Returns float32 [N]: the binary cross-entropy of sigmoid, mean over the labels, each smoothed to 1/2."""
        truth = (1 - smoothing) * labels.astype(outputs.dtype) + smoothing / 2
        rest = jnp.log1p(jnp.exp(-jnp.abs(outputs)))
        if self.weights is None:
            return jnp.mean(jnp.maximum(outputs, 0) - outputs * truth + rest, axis=-1)
        missed, said = jnp.maximum(-outputs, 0) + rest, jnp.maximum(outputs, 0) + rest
        return jnp.mean(jnp.asarray(self.weights, jnp.float32) * truth * missed + (1 - truth) * said, axis=-1)

    def weighted(self, weights: Sequence[float]) -> Self:
        """Returns the same where examples that have a label count so much in its loss."""
        return replace(self, weights=tuple(weights))

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how many labels were said rightly, how many were said, and how many there are."""
        said, truth = np.asarray(outputs) > 0, np.asarray(labels) > 0
        each = {"right": said & truth, "said": said, "true": np.broadcast_to(truth, said.shape)}
        return {name: found.sum(axis=(-2, -1), dtype=np.float64) for name, found in each.items()}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns F1 of all decisions together; 1 if there is no label and none was said."""
        both = sums["said"] + sums["true"]
        return np.where(both > 0, 2 * sums["right"] / np.maximum(both, 1), 1.0)

    def probabilities(self, outputs: jax.Array) -> jax.Array:
        """Returns float32 [N, K]: the probability of each label, each for itself."""
        return jax.nn.sigmoid(outputs)


@dataclass(frozen=True, slots=True)
class MeanAveragePrecision(Multilabel):
    """The same by how well each label ranks the examples: the mean of the average precision of the labels there are.

    Chances that fall into one step count as equal.
    """

    num_labels: int = field(default=1, compare=False)

    @classmethod
    def of(cls, output: Output) -> Self:
        """Returns the objective of tasks with that output."""
        return cls(num_labels=output.size)

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns for each label and step how many examples that have it, and of others, lie there, [..., K * 512]."""
        return ranked(np.asarray(outputs, np.float64), np.asarray(labels) > 0)

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean over the labels that examples have; 0 if none has any."""
        precisions = average_precisions(sums, self.num_labels)
        return mean_of(np.nan_to_num(precisions), where=~np.isnan(precisions))


def average_precisions(sums: Sums, num_labels: int) -> np.ndarray:
    """Returns float64 [..., K]: of each label the mean, over the examples that have it, of the precision down to them.

    Args:
        sums: of a tally of ``MeanAveragePrecision``.
        num_labels: K.
    """
    own, other = (sums[name].reshape(*sums[name].shape[:-1], num_labels, STEPS)[..., ::-1] for name in ("own", "other"))
    above, beside = np.cumsum(own, axis=-1), np.cumsum(other, axis=-1)
    total = own.sum(axis=-1)
    found = (own * above / np.maximum(above + beside, 1)).sum(axis=-1) / np.maximum(total, 1)
    return np.where(total > 0, found, np.nan)
