"""One of several classes: cross-entropy, and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.objectives.objective import Sums
from mu2net_core.objects import Output
from mu2net_core.scoring import is_chance

__all__ = ["Classify"]

_ABSENT = -1e8
"""Outputs below it are of classes that the task does not have."""


@dataclass(frozen=True, slots=True)
class Classify:
    """Labels are int32 [N], the number of each example's class; outputs are logits.

    Attributes:
        weights: how much an example of each class counts in the loss, in label order; None: all the same. Quality
            knows nothing of it.
    """

    ignores_absent: ClassVar[bool] = True

    weights: tuple[float, ...] | None = None

    @classmethod
    def of(cls, output: Output) -> Self:
        """Returns the objective of tasks with that output: the same for all."""
        del output
        return cls()

    def loss(self, outputs: jax.Array, labels: jax.Array, smoothing: jax.Array | float = 0.0) -> jax.Array:
        """Returns float32 [N]: the cross-entropy of softmax, with labels smoothed (Szegedy et al., 2016)."""
        likely = jax.nn.log_softmax(outputs)
        own = -jnp.take_along_axis(likely, labels[:, None], axis=1)[:, 0]
        is_there = outputs > _ABSENT
        spread = -jnp.sum(jnp.where(is_there, likely, 0), axis=1) / jnp.maximum(is_there.sum(axis=1), 1)
        loss = (1 - smoothing) * own + smoothing * spread
        return loss if self.weights is None else loss * jnp.asarray(self.weights, jnp.float32)[labels]

    def weighted(self, weights: Sequence[float]) -> Self:
        """Returns the same where examples of each class count so much in the loss."""
        return replace(self, weights=tuple(weights))

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how many examples are right, how many there are, and their loss."""
        right = (self.said(outputs) == labels).sum(axis=-1, dtype=np.float64)
        loss = _cross_entropy(np.asarray(outputs, np.float64), labels)
        return {"right": right, "count": np.full(right.shape, float(len(labels))), "loss": loss.sum(axis=-1)}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the accuracy."""
        return np.asarray(sums["right"] / sums["count"])

    def is_chance(self, right: Sequence[int], truth: Sequence[int], said: Sequence[int], quality: float) -> bool:
        """Returns whether answers are no better than always saying one class, as far as so many examples can tell.

        Args:
            right: by class how many of its examples get it.
            truth: how many there are of each class.
            said: of how many each class is said.
            quality: of the answers.
        """
        del said, quality
        return is_chance(sum(right), sum(truth), max(truth) / sum(truth))

    def said(self, outputs: np.ndarray) -> np.ndarray:
        """Returns int64 [..., N]: the likeliest class of each example; of equal ones the first."""
        likeliest: np.ndarray = outputs.argmax(axis=-1)
        return likeliest

    def probabilities(self, outputs: jax.Array) -> jax.Array:
        """Returns float32 [N, C]: the probability of each class."""
        return jax.nn.softmax(outputs)


def _cross_entropy(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns float64 [..., N]: minus the logarithm of each label's probability."""
    most = outputs.max(axis=-1, keepdims=True)
    own = outputs[..., np.arange(len(labels)), labels]
    with np.errstate(invalid="ignore"):  # outputs that are not finite have no loss
        return np.asarray(np.log(np.exp(outputs - most).sum(axis=-1)) + most[..., 0] - own)
