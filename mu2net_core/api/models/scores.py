"""How good answers are, class by class, and how sure one can be of it. Pure functions.

``N`` is the number of examples, ``C`` of classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["ClassScore", "Confusion", "class_scores", "confusions", "label_scores", "wilson"]

_Z_95 = 1.959963984540054
"""Of a standard normal variable, 95 % lie within so much of zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """How well a class is recognised.

    Attributes:
        label: its name.
        num_examples: how many are of it.
        num_said: how many the model takes for it.
        correct: how many of these are of it.
        precision: ``correct / num_said``; None if the model takes none for it.
        recall: ``correct / num_examples``; None if there is no example of it.
        average_precision: of a label among several: the mean, over the examples that have it, of the precision down to
            them in the order that the model gives; None if none has it, and of classes.
    """

    label: str
    num_examples: int
    num_said: int
    correct: int
    precision: float | None
    recall: float | None
    average_precision: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often examples of one class are taken for another."""

    label: str
    said: str
    count: int


def label_scores(
    having: np.ndarray, said: np.ndarray, right: np.ndarray, precisions: np.ndarray, names: Sequence[str]
) -> tuple[ClassScore, ...]:
    """Returns a score for each of several labels, in order.

    Args:
        having: [C], how many examples have each.
        said: [C], of how many the model says it.
        right: [C], of how many rightly.
        precisions: [C], its average precision; not a number where no example has it.
        names: C names.
    """
    return tuple(
        ClassScore(
            label=name,
            num_examples=int(are),
            num_said=int(taken),
            correct=int(good),
            precision=_share(good, taken),
            recall=_share(good, are),
            average_precision=None if math.isnan(precision) else float(precision),
        )
        for name, are, taken, good, precision in zip(names, having, said, right, precisions, strict=True)
    )


def class_scores(labels: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> tuple[ClassScore, ...]:
    """Returns a score for each class, in order.

    Args:
        labels: int [N], what examples are, in [0, C).
        said: int [N], what a model takes them for, likewise.
        classes: C names.
    """
    counts = (np.bincount(which, minlength=len(classes)) for which in (labels, said, labels[labels == said]))
    return tuple(
        ClassScore(
            label=name,
            num_examples=int(are),
            num_said=int(taken),
            correct=int(right),
            precision=_share(right, taken),
            recall=_share(right, are),
        )
        for name, are, taken, right in zip(classes, *counts, strict=True)
    )


def confusions(labels: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> tuple[Confusion, ...]:
    """Returns which classes are taken for which others, the most frequent first; arguments as in ``class_scores``."""
    wrong = labels != said
    pairs, counts = np.unique(np.stack([labels[wrong], said[wrong]]), axis=1, return_counts=True)
    found = (
        Confusion(label=classes[label], said=classes[taken], count=int(count))
        for (label, taken), count in zip(pairs.T, counts, strict=True)
    )
    return tuple(sorted(found, key=lambda confusion: -confusion.count))


def wilson(correct: int, total: int) -> tuple[float, float]:
    """Returns Wilson's 95 % interval for a share of which ``correct`` of ``total`` trials were successes."""
    share, spread = correct / total, _Z_95**2 / total
    middle = share + spread / 2
    half = _Z_95 * math.sqrt((share * (1 - share) + spread / 4) / total)
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
