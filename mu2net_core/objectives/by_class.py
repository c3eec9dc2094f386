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
        own = np.eye(self.num_classes)[labels]
        right = (self.said(outputs) == labels).astype(np.float64) @ own
        return {
            **_loss_of(self, outputs, labels),
            "right": right,
            "count": np.broadcast_to(own.sum(axis=0), right.shape),
        }

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean of the shares."""
        return _mean(sums["right"] / np.maximum(sums["count"], 1), where=sums["count"] > 0)


@dataclass(frozen=True, slots=True)
class MacroF1(_ByClass):
    """The mean, over the classes that have examples or are said, of their F1."""

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how often each class is said rightly, is said, and is there, [..., K]; and their loss."""
        own, said = np.eye(self.num_classes)[labels], self.said(outputs)
        right = (said == labels).astype(np.float64) @ own
        spoken = np.stack([(said == label).sum(axis=-1) for label in range(self.num_classes)], axis=-1)
        there = np.broadcast_to(own.sum(axis=0), right.shape)
        return {**_loss_of(self, outputs, labels), "right": right, "said": spoken.astype(np.float64), "count": there}

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
        own = np.eye(self.num_classes)[labels]
        lead = steps.shape[:-2]
        flat = steps.reshape(math.prod(lead), *steps.shape[-2:]) + _STEPS * np.arange(self.num_classes)
        size = _STEPS * self.num_classes

        def counted(weights: np.ndarray) -> np.ndarray:
            found = [np.bincount(one.ravel(), weights.ravel(), size) for one in flat]
            return np.asarray(found, np.float64).reshape(*lead, size)

        return {**_loss_of(self, outputs, labels), "own": counted(own), "other": counted(1 - own)}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean area of the classes of which there are examples, and of others; 1/2 if there is none."""
        own, other = (sums[name].reshape(*sums[name].shape[:-1], self.num_classes, _STEPS) for name in ("own", "other"))
        below = np.cumsum(other, axis=-1) - other / 2
        pairs = own.sum(axis=-1) * other.sum(axis=-1)
        areas = (own * below).sum(axis=-1) / np.maximum(pairs, 1)
        return _mean(areas, where=pairs > 0, otherwise=0.5)


def _steps(outputs: np.ndarray) -> np.ndarray:
    """Returns int64 [..., N, K]: the step of each class's logit against all others; the middle of what is no number."""
    logits = np.empty_like(outputs)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        for label in range(outputs.shape[-1]):
            others = np.delete(outputs, label, axis=-1)
            most = others.max(axis=-1, initial=-np.inf)
            rest = most + np.log(np.exp(others - most[..., None]).sum(axis=-1))
            logits[..., label] = outputs[..., label] - rest
    bounded = np.clip(np.nan_to_num(logits, nan=0.0), -_MOST_LOGIT, _MOST_LOGIT)
    places = np.minimum((bounded + _MOST_LOGIT) * (_STEPS / (2 * _MOST_LOGIT)), _STEPS - 1)
    return np.asarray(places, np.int64)


def _loss_of(objective: Classify, outputs: np.ndarray, labels: np.ndarray) -> Sums:
    return {"loss": Classify.tally(objective, outputs, labels)["loss"]}


def _mean(values: np.ndarray, *, where: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    """Returns the mean over the last axis of the values that count."""
    count = where.sum(axis=-1)
    return np.where(count > 0, np.where(where, values, 0).sum(axis=-1) / np.maximum(count, 1), otherwise)
