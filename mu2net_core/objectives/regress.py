"""A number: squared error, and R²."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import jax
import numpy as np

from mu2net_core.errors import InternalError
from mu2net_core.objectives.objective import Sums
from mu2net_core.objects import Number, Output

__all__ = ["MeanError", "Regress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regress:
    """Labels are numbers [N]; outputs [N, 1] tell how far they are from ``mean``, in units of ``deviation``.

    Attributes:
        mean: of the training examples.
        deviation: of the training examples, above 0.
    """

    ignores_absent: ClassVar[bool] = False

    mean: float
    deviation: float

    @classmethod
    def of(cls, output: Output) -> Self:
        """Returns the objective of tasks with that output."""
        if not isinstance(output, Number):
            raise InternalError(f"Expected a number, got {output}.")
        return cls(mean=output.mean, deviation=output.deviation)

    def loss(self, outputs: jax.Array, labels: jax.Array, smoothing: jax.Array | float = 0.0) -> jax.Array:
        """Returns float32 [N]: the squared error, in units of the deviation; numbers are not smoothed."""
        del smoothing
        return (outputs[:, 0] - (labels - self.mean) / self.deviation) ** 2

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns the sums that R² is made of: of errors and of labels, both in units of the deviation."""
        truth = (np.asarray(labels, np.float64) - self.mean) / self.deviation
        wrong = np.asarray(outputs, np.float64)[..., 0] - truth
        sums = {
            "errors": (wrong**2).sum(axis=-1),
            "total": truth.sum(),
            "squares": (truth**2).sum(),
            "count": float(len(truth)),
        }
        return {name: np.broadcast_to(value, wrong.shape[:-1]) for name, value in sums.items()}

    def said(self, outputs: np.ndarray) -> np.ndarray:
        """Returns float64 [...]: the number of each example."""
        return np.asarray(outputs, np.float64)[..., 0] * self.deviation + self.mean

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns R², 0 where it is below."""
        spread = sums["squares"] - sums["total"] ** 2 / sums["count"]
        flat = spread <= _ROUNDING * np.maximum(sums["squares"], 1)
        share = np.where(flat, sums["errors"] > 0, sums["errors"] / np.where(flat, 1, spread))
        return np.asarray(np.clip(np.nan_to_num(1 - share, nan=0.0), 0.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanError(Regress):
    """The same by the mean absolute error (MAE), as a share of what saying the training examples' mean would have."""

    def loss(self, outputs: jax.Array, labels: jax.Array, smoothing: jax.Array | float = 0.0) -> jax.Array:
        """Returns float32 [N]: the absolute error, in units of the deviation; numbers are not smoothed."""
        del smoothing
        return abs(outputs[:, 0] - (labels - self.mean) / self.deviation)

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns the sums of errors, and of distances from the mean, both in units of the deviation."""
        truth = (np.asarray(labels, np.float64) - self.mean) / self.deviation
        errors = abs(np.asarray(outputs, np.float64)[..., 0] - truth).sum(axis=-1)
        return {"errors": errors, "distances": np.broadcast_to(abs(truth).sum(), errors.shape)}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns 1 less the ratio of both, 0 where that is below."""
        distances = sums["distances"]
        share = np.where(distances > 0, sums["errors"] / np.where(distances > 0, distances, 1), sums["errors"] > 0)
        return np.asarray(np.clip(np.nan_to_num(1 - share, nan=0.0), 0.0, 1.0))


_ROUNDING = 1e-12
"""So much of the sum of squares may be left of a spread that is none, by rounding."""
