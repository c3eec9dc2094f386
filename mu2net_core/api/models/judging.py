"""What outputs say of examples, batch by batch, until a report can be made of it; NumPy alone.

Of each example a few numbers are kept, of its labels a sum. ``N`` is the number of examples, ``B`` of a batch's, ``C``
of classes or labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mu2net_core.api.models.report import Calibration, Part, Reliability, Residuals
from mu2net_core.api.models.scores import ClassScore, Confusion, class_scores, confusions, label_scores
from mu2net_core.objectives import Classify, MeanAveragePrecision, Multilabel, Objective, Regress, Sums, add
from mu2net_core.objectives import average_precisions as precisions_of

__all__ = ["Judge", "judge_of", "residuals_of"]

_BINS = 10
_MOST_LABELS_TOLD = 20
_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
_FIFTHS = 5
_NO_NUMBER = 1e300
"""The loss of outputs that are none: JSON knows no infinity."""


class Judge:
    """Takes in outputs and labels, and knows afterwards what is to be reported; a subclass for each kind of output.

    Args:
        names: of the classes or labels.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._losses: list[np.ndarray] = []
        self._bins = np.zeros((3, _BINS))

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        """Takes a batch in: outputs [B, C], and labels as the objective has them."""
        raise NotImplementedError

    def text(self, index: int) -> tuple[str, str]:
        """Returns what is true of an example, and what is said of it."""
        raise NotImplementedError

    @property
    def by_class(self) -> tuple[ClassScore, ...] | None:
        """A score for each class or label, if there are any."""
        return None

    @property
    def confused(self) -> tuple[Confusion, ...] | None:
        """Which classes are taken for which, of classes."""
        return None

    @property
    def residuals(self) -> Residuals | None:
        """Of numbers."""
        return None

    @property
    def calibration(self) -> Calibration | None:
        """Of classes and labels."""
        counts, chances, rights = self._bins
        if not counts.sum():
            return None
        each = [
            Reliability(
                low=place / _BINS,
                high=(place + 1) / _BINS,
                count=int(count),
                probability=float(chances[place] / count),
                right=float(rights[place] / count),
            )
            for place, count in enumerate(counts)
            if count
        ]
        return Calibration(ece=float(abs(chances - rights).sum() / counts.sum()), bins=tuple(each))

    def worst(self, most: int) -> list[tuple[int, float]]:
        """Returns the places of the examples of the largest loss, and that: the worst first."""
        losses = np.nan_to_num(np.concatenate(self._losses), nan=_NO_NUMBER, posinf=_NO_NUMBER)
        return [(int(place), float(losses[place])) for place in np.argsort(-losses, kind="stable")[:most]]

    def _calibrate(self, chances: np.ndarray, right: np.ndarray) -> None:
        """Counts answers, both [M]: their probabilities, and whether they are right."""
        places = np.minimum((np.nan_to_num(chances) * _BINS).astype(np.int64), _BINS - 1)
        for row, weights in enumerate((np.ones(len(chances)), np.nan_to_num(chances), right.astype(np.float64))):
            self._bins[row] += np.bincount(places, weights, _BINS)


class _OfClasses(Judge):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self._labels: list[np.ndarray] = []
        self._said: list[np.ndarray] = []

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        logits = outputs[:, : len(self._names)].astype(np.float64)
        likely = logits - logits.max(axis=1, keepdims=True)
        likely -= np.log(np.exp(likely).sum(axis=1, keepdims=True))
        said = logits.argmax(axis=1)
        rows = np.arange(len(labels))
        self._calibrate(np.exp(likely[rows, said]), said == labels)
        self._losses.append(-likely[rows, labels])
        self._labels.append(np.asarray(labels))
        self._said.append(said)

    def text(self, index: int) -> tuple[str, str]:
        return self._names[np.concatenate(self._labels)[index]], self._names[np.concatenate(self._said)[index]]

    @property
    def by_class(self) -> tuple[ClassScore, ...]:
        return class_scores(np.concatenate(self._labels), np.concatenate(self._said), self._names)

    @property
    def confused(self) -> tuple[Confusion, ...]:
        return confusions(np.concatenate(self._labels), np.concatenate(self._said), self._names)


class _OfLabels(Judge):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self._ranking = MeanAveragePrecision(num_labels=len(names))
        self._sums: Sums | None = None
        self._counts = np.zeros((3, len(names)), np.int64)
        self._bits: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        logits, truth = outputs.astype(np.float64), np.asarray(labels) > 0
        said = logits > 0
        chances = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
        self._calibrate(chances.ravel(), truth.ravel())
        wrong = np.maximum(logits, 0) - logits * truth + np.log1p(np.exp(-abs(logits)))
        self._losses.append(wrong.mean(axis=1))
        found = self._ranking.tally(outputs, truth)
        self._sums = found if self._sums is None else add(self._sums, found)
        self._counts += np.stack([truth.sum(axis=0), said.sum(axis=0), (truth & said).sum(axis=0)])
        self._bits.append((np.packbits(truth, axis=1), np.packbits(said, axis=1)))

    def text(self, index: int) -> tuple[str, str]:
        for truth, said in self._bits:
            if index < len(truth):
                return self._named(truth[index]), self._named(said[index])
            index -= len(truth)
        raise IndexError(index)

    @property
    def by_class(self) -> tuple[ClassScore, ...]:
        precisions = np.full(len(self._names), np.nan)
        if self._sums is not None:
            precisions = precisions_of(self._sums, len(self._names))
        having, said, right = self._counts
        return label_scores(having, said, right, precisions, self._names)

    def _named(self, bits: np.ndarray) -> str:
        names = [self._names[place] for place in np.flatnonzero(np.unpackbits(bits, count=len(self._names))).tolist()]
        return ", ".join(names[:_MOST_LABELS_TOLD]) + ", ..." * (len(names) > _MOST_LABELS_TOLD) or "-"


class _OfNumbers(Judge):
    def __init__(self, objective: Regress) -> None:
        super().__init__(())
        self._objective = objective
        self._truth: list[np.ndarray] = []
        self._said: list[np.ndarray] = []

    def add(self, outputs: np.ndarray, labels: np.ndarray) -> None:
        said, truth = self._objective.said(outputs), np.asarray(labels, np.float64)
        self._truth.append(truth)
        self._said.append(said)
        self._losses.append(abs(said - truth))

    def text(self, index: int) -> tuple[str, str]:
        return f"{np.concatenate(self._truth)[index]:.6g}", f"{np.concatenate(self._said)[index]:.6g}"

    @property
    def residuals(self) -> Residuals:
        return residuals_of(np.concatenate(self._said), np.concatenate(self._truth))


def residuals_of(said: np.ndarray, truth: np.ndarray) -> Residuals:
    """Returns how far numbers [N] are from the truth [N]."""
    errors = said - truth
    order = np.argsort(truth, kind="stable")
    parts = [part for part in np.array_split(order, _FIFTHS) if len(part)]
    return Residuals(
        bias=float(errors.mean()),
        mean_error=float(abs(errors).mean()),
        root_mean_square=float(np.sqrt((errors**2).mean())),
        quantiles=tuple((share, float(np.quantile(errors, share))) for share in _SHARES),
        by_truth=tuple(
            Part(
                low=float(truth[part[0]]),
                high=float(truth[part[-1]]),
                count=len(part),
                bias=float(errors[part].mean()),
                mean_error=float(abs(errors[part]).mean()),
            )
            for part in parts
        ),
    )


def judge_of(objective: Objective, names: Sequence[str]) -> Judge | None:
    """Returns what takes in the outputs of such an objective; None of another kind than those that ship."""
    if isinstance(objective, Regress):
        return _OfNumbers(objective)
    if isinstance(objective, Multilabel):
        return _OfLabels(names)
    return _OfClasses(names) if isinstance(objective, Classify) else None
