"""One of several classes, measured by metrics in which every class counts as much, however rare: cross-entropy.

``K`` is the number of classes, beside the letters of ``objective.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Self

import numpy as np

from mu2net_core.objectives.classify import Classify
from mu2net_core.objectives.objective import Sums
from mu2net_core.objectives.steps import STEPS, counted, mean_of, ranked
from mu2net_core.objects import Output
from mu2net_core.scoring import SURE

__all__ = ["Auroc", "BalancedAccuracy", "MacroF1"]


@dataclass(frozen=True, slots=True)
class _ByClass(Classify):
    """An objective that tells classes apart; programs do not depend on how many there are."""

    num_classes: int = field(default=2, compare=False)

    @classmethod
    def of(cls, output: Output) -> Self:
        """Returns the objective of tasks with that output."""
        return cls(num_classes=output.size)

    def is_chance(self, right: Sequence[int], truth: Sequence[int], said: Sequence[int], quality: float) -> bool:
        """Returns likewise whether classes get their answers no more often than if these were dealt at random."""
        del quality
        counts = [one for one in zip(right, truth, said, strict=True) if one[1]]
        dealt = [spoken / sum(said) for _, _, spoken in counts]  # of each class so many would be right by luck
        found = sum(hits / there for hits, there, _ in counts)
        variance = sum(share * (1 - share) / there for share, (_, there, _) in zip(dealt, counts, strict=True))
        return len(counts) > 1 and found <= sum(dealt) + SURE * sqrt(variance)


@dataclass(frozen=True, slots=True)
class BalancedAccuracy(_ByClass):
    """The mean, over the classes that have examples, of the share of them that is right."""

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how many examples of each class are right, and how many there are, [..., K]; and their loss."""
        return _rights_of(self, outputs, labels)

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean of the shares."""
        return mean_of(sums["right"] / np.maximum(sums["count"], 1), where=sums["count"] > 0)


@dataclass(frozen=True, slots=True)
class MacroF1(_ByClass):
    """The mean, over the classes that have examples or are said, of their F1."""

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns how often each class is said rightly, is said, and is there, [..., K]; and their loss."""
        said = self.said(outputs)
        spoken = counted(said, np.ones(said.shape), self.num_classes)
        return {**_rights_of(self, outputs, labels), "said": spoken}

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean of 2 TP / (2 TP + FP + FN)."""
        both = sums["said"] + sums["count"]
        return mean_of(2 * sums["right"] / np.maximum(both, 1), where=both > 0)


@dataclass(frozen=True, slots=True)
class Auroc(_ByClass):
    """The area under the ROC curve: how often an example of a class gets more of a chance for it than one of another.

    It is the mean over all classes, each against all others; of two classes both areas are the same. Chances that fall
    into one step count as equal.
    """

    def tally(self, outputs: np.ndarray, labels: np.ndarray) -> Sums:
        """Returns for each class and step how many examples of it, and of others, lie there, [..., K * 512]."""
        logits = _logits(np.asarray(outputs, np.float64)[..., : self.num_classes])
        is_own = np.asarray(labels)[:, None] == np.arange(self.num_classes)
        return {**_loss_of(self, outputs, labels), **ranked(logits, is_own)}

    def is_chance(self, right: Sequence[int], truth: Sequence[int], said: Sequence[int], quality: float) -> bool:
        """Returns likewise whether examples are in no better order than a random one."""
        del right, said
        total = sum(truth)
        parts = [there for there in truth if 0 < there < total]
        spread = [sqrt((total + 1) / (12 * there * (total - there))) for there in parts]
        return bool(parts) and quality <= 0.5 + SURE * sum(spread) / len(parts)

    def quality(self, sums: Sums) -> np.ndarray:
        """Returns the mean area of the classes of which there are examples, and of others; 1/2 if there is none."""
        own, other = (sums[name].reshape(*sums[name].shape[:-1], self.num_classes, STEPS) for name in ("own", "other"))
        below = np.cumsum(other, axis=-1) - other / 2
        pairs = own.sum(axis=-1) * other.sum(axis=-1)
        areas = (own * below).sum(axis=-1) / np.maximum(pairs, 1)
        return mean_of(areas, where=pairs > 0, otherwise=0.5)


def _logits(outputs: np.ndarray) -> np.ndarray:
    """Returns float64 [..., N, K]: each class's logit against all others."""
    with np.errstate(invalid="ignore", divide="ignore"):
        chances = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        return np.asarray(np.log(chances) - np.log(np.maximum(chances.sum(axis=-1, keepdims=True) - chances, 0)))


def _rights_of(objective: _ByClass, outputs: np.ndarray, labels: np.ndarray) -> Sums:
    """Returns how many examples of each class are right, and how many there are, [..., K]; and their loss."""
    said, truth, size = objective.said(outputs), np.asarray(labels), objective.num_classes
    right, there = counted(truth, said == truth, size), counted(truth, np.ones(said.shape), size)
    return {**_loss_of(objective, outputs, labels), "right": right, "count": there}


def _loss_of(objective: Classify, outputs: np.ndarray, labels: np.ndarray) -> Sums:
    return {"loss": Classify.tally(objective, outputs, labels)["loss"]}
