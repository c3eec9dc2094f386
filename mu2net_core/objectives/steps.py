"""Chances counted in steps of their logit, so that what a ranking is worth is made of sums: pure functions.

``K`` is the number of classes or labels, beside the letters of ``objective.py``.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["STEPS", "counted", "mean_of", "ranked", "steps_of"]

STEPS = 512
_MOST_LOGIT = 12.0
"""Chances are counted in steps of their logit, from -12 to 12."""


def steps_of(logits: np.ndarray) -> np.ndarray:
    """Returns int64 [...]: the step that each logit falls into; the middle of what is no number."""
    bounded = np.clip(np.nan_to_num(logits, nan=0.0), -_MOST_LOGIT, _MOST_LOGIT)
    places = np.minimum((bounded + _MOST_LOGIT) * (STEPS / (2 * _MOST_LOGIT)), STEPS - 1)
    return np.asarray(places, np.int64)


def ranked(logits: np.ndarray, is_own: np.ndarray) -> dict[str, np.ndarray]:
    """Returns, for each class and step, how many examples of it (``own``), and of ``other``, lie there: [..., K * 512].

    Args:
        logits: [..., N, K].
        is_own: bool [N, K]: whether examples are of a class.
    """
    num_classes = logits.shape[-1]
    steps = steps_of(logits)
    places = (steps + STEPS * np.arange(num_classes)).reshape(*steps.shape[:-2], -1)
    own, size = is_own.ravel(), STEPS * num_classes
    return {"own": counted(places, own, size), "other": counted(places, ~own, size)}


def counted(places: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Returns float64 [..., ``size``]: for each place the sum of the weights that have it, both [..., N]."""
    places, weights = np.broadcast_arrays(places, weights)
    *lead, many = places.shape
    flat = math.prod(lead), many
    rows = zip(places.reshape(flat), weights.reshape(flat), strict=True)
    found = [np.bincount(place, weight, size)[:size] for place, weight in rows]
    return np.asarray(found, np.float64).reshape(*lead, size)


def mean_of(values: np.ndarray, *, where: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    """Returns the mean over the last axis of the values that count."""
    count = where.sum(axis=-1)
    return np.where(count > 0, np.where(where, values, 0).sum(axis=-1) / np.maximum(count, 1), otherwise)
