"""One of several classes, measured by metrics in which every class counts as much, however rare: cross-entropy.

``K`` is the number of classes, beside the letters of ``objective.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from mu2net_core.objectives.classify import Classify
from mu2net_core.objectives.objective import Sums
from mu2net_core.objects import Output

__all__ = ["Auroc", "BalancedAccuracy", "MacroF1"]

_STEPS = 512
_MOST_LOGIT = 12.0
"""Chances are counted in steps of their logit, from -12 to 12."""


@dataclass(frozen=True, slots=True)
class _ByClass(Classify):
    """An objective that tells classes apart; programs do not depend on how many there are."""

    num_classes: int = field(default=2, compare=False)

    @classmethod
    def of(cls, output: Output) -> Self:
        """Returns the objective of tasks with that output."""
        return cls(num_classes=output.size)


@dataclass(frozen=True, slots=True)
class BalancedAccuracy(_ByClass):
    """The mean, over the classes that have examples, of the share of them that is right."""

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how many examples of each class are right, and how many there are, [..., K]; and their loss."""
        return _rights_of(self, outputs, labels)

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean of the shares."""
        return _mean(sums["right"] / np.maximum(sums["count"], 1), where=sums["count"] > 0)


@dataclass(frozen=True, slots=True)
class MacroF1(_ByClass):
    """The mean, over the classes that have examples or are said, of their F1."""

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how often each class is said rightly, is said, and is there, [..., K]; and their loss."""
        said = self.said(outputs)
        spoken = _counted(said, np.ones(said.shape), self.num_classes)
        return {**_rights_of(self, outputs, labels), "said": spoken}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean of 2 TP / (2 TP + FP + FN)."""
        both = sums["said"] + sums["count"]
        return _mean(2 * sums["right"] / np.maximum(both, 1), where=both > 0)


@dataclass(frozen=True, slots=True)
class Auroc(_ByClass):
    """The area under the ROC curve: how often an example of a class gets more of a chance for it than one of another.

    It is the mean over all classes, each against all others; of two classes both areas are the same. Chances that fall
    into one step count as equal.
    """

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns for each class and step how many examples of it, and of others, lie there, [..., K * 512]."""
        steps = _steps(np.asarray(outputs, np.float64)[..., : self.num_classes])
        places = (steps + _STEPS * np.arange(self.num_classes)).reshape(*steps.shape[:-2], -1)
        own = (np.asarray(labels)[:, None] == np.arange(self.num_classes)).ravel()
        size = _STEPS * self.num_classes
        found = {"own": _counted(places, own, size), "other": _counted(places, ~own, size)}
        return {**_loss_of(self, outputs, labels), **found}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean area of the classes of which there are examples, and of others; 1/2 if there is none."""
        own, other = (sums[name].reshape(*sums[name].shape[:-1], self.num_classes, _STEPS) for name in ("own", "other"))
        below = np.cumsum(other, axis=-1) - other / 2
        pairs = own.sum(axis=-1) * other.sum(axis=-1)
        areas = (own * below).sum(axis=-1) / np.maximum(pairs, 1)
        return _mean(areas, where=pairs > 0, otherwise=0.5)


def _steps(outputs: np.ndarray) -> np.ndarray:
    """Returns int64 [..., N, K]: the step of each class's logit against all others; the middle of what is no number."""
    with np.errstate(invalid="ignore", divide="ignore"):
        chances = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        logits = np.log(chances) - np.log(np.maximum(chances.sum(axis=-1, keepdims=True) - chances, 0))
    bounded = np.clip(np.nan_to_num(logits, nan=0.0), -_MOST_LOGIT, _MOST_LOGIT)
    places = np.minimum((bounded + _MOST_LOGIT) * (_STEPS / (2 * _MOST_LOGIT)), _STEPS - 1)
    return np.asarray(places, np.int64)


def _counted(places: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Returns float64 [..., ``size``]: for each place the sum of the weights that have it, both [..., N]."""
    places, weights = np.broadcast_arrays(places, weights)
    *lead, many = places.shape
    flat = math.prod(lead), many
    rows = zip(places.reshape(flat), weights.reshape(flat), strict=True)
    found = [np.bincount(place, weight, size)[:size] for place, weight in rows]
    return np.asarray(found, np.float64).reshape(*lead, size)


def _rights_of(objective: _ByClass, outputs: np.ndarray, labels: np.ndarray) -> Sums:
    """Returns how many examples of each class are right, and how many there are, [..., K]; and their loss."""
    said, truth, size = objective.said(outputs), np.asarray(labels), objective.num_classes
    right, there = _counted(truth, said == truth, size), _counted(truth, np.ones(said.shape), size)
    return {**_loss_of(objective, outputs, labels), "right": right, "count": there}


def _loss_of(objective: Classify, outputs: np.ndarray, labels: np.ndarray) -> Sums:
    return {"loss": Classify.tally(objective, outputs, labels)["loss"]}


def _mean(values: np.ndarray, *, where: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    """Returns the mean over the last axis of the values that count."""
    count = where.sum(axis=-1)
    return np.where(count > 0, np.where(where, values, 0).sum(axis=-1) / np.maximum(count, 1), otherwise)
