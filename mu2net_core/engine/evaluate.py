"""Using a stored model: how many examples it gets right, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add as add_numbers

import jax
import numpy as np

from mu2net_core.engine.feeding import Feed
from mu2net_core.engine.loaded import LoadedModel
from mu2net_core.errors import InternalError
from mu2net_core.objectives import Classify, Multilabel, Objective, Regress, Sums, add

__all__ = ["Answers", "Measured", "Tally", "answers", "measure", "numbers", "probabilities", "tallied"]

See = Callable[[np.ndarray, np.ndarray], None]
"""Told of a batch's outputs [B, C] and its labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a model says of the examples of a split.

    Attributes:
        hits: by class how many of its examples get it.
        truth: how many there are of each class.
        said: of how many it says each class.
    """

    hits: tuple[int, ...]
    truth: tuple[int, ...]
    said: tuple[int, ...]

    @property
    def right(self) -> int:
        """How many get their label."""
        return sum(self.hits)

    @property
    def accuracy(self) -> float:
        """The share that gets its label."""
        return self.right / sum(self.truth)

    def plus(self, other: Tally) -> Tally:
        """Returns what is said of the examples of both."""
        return Tally(
            hits=tuple(map(add_numbers, self.hits, other.hits)),
            truth=tuple(map(add_numbers, self.truth, other.truth)),
            said=tuple(map(add_numbers, self.said, other.said)),
        )

    @property
    def most_frequent(self) -> float:
        """The share of the most frequent label: what always saying it would be right of."""
        return max(self.truth) / sum(self.truth)

    @property
    def only_label(self) -> int | None:
        """The label it says of every example, although there are several; None if it says several, too."""
        spoken = [label for label, count in enumerate(self.said) if count]
        return spoken[0] if len(spoken) == 1 < sum(count > 0 for count in self.truth) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model says of every example of a split, in the split's order.

    Attributes:
        labels: int32 [N], what they are.
        said: int64 [N], the likeliest class.
        probability: float32 [N], of that class.
        quality: by the objective, in [0, 1].
    """

    labels: np.ndarray
    said: np.ndarray
    probability: np.ndarray
    quality: float

    def tally(self, num_classes: int) -> Tally:
        """Returns how many there are of each class, and of how many it is said."""
        return _tally(self.said, self.labels, num_classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a model is worth on a split.

    Attributes:
        quality: by the task's metric, in [0, 1].
        tally: of the classes, if these are what comes out.
    """

    quality: float
    tally: Tally | None


def tallied(objective: Objective, outputs: jax.Array | np.ndarray, labels: np.ndarray) -> tuple[Sums, np.ndarray]:
    """Returns what quality is made of, and whether all outputs are finite: bool [], or [K] of K children.

    Args:
        objective: what outputs are worth.
        outputs: [E, C], or [K, E, C], padded.
        labels: of the examples that are no padding.
    """
    given = np.asarray(outputs)[..., : len(labels), :]
    return objective.tally(given, labels), np.isfinite(given).all(axis=(-2, -1))


def measure(
    model: LoadedModel, objective: Objective, feed: Feed, *, limit: int | None = None, see: See | None = None
) -> Measured:
    """Returns what a model is worth on the first ``limit`` examples of a split, or on all; ``see`` sees each batch.

    It is exact whatever the batch; memory is that of one batch.
    """
    sums, counted = list[Sums](), list[Tally]()
    for examples, outputs in model.over(feed, limit=limit):
        labels = np.asarray(examples.labels)
        sums.append(tallied(objective, outputs, labels)[0])
        if see is not None:
            see(np.asarray(outputs)[: len(labels)], labels)
        if isinstance(objective, Classify):
            counted.append(_tally(objective.said(np.asarray(outputs))[: len(labels)], labels, outputs.shape[-1]))
    if not sums:
        raise InternalError("A split without examples cannot be measured.")
    return Measured(
        quality=float(objective.quality(reduce(add, sums))), tally=reduce(Tally.plus, counted) if counted else None
    )


def answers(model: LoadedModel, objective: Classify, feed: Feed, *, see: See | None = None) -> Answers:
    """Returns what a model says of every example of a split, exact whatever the batch; of inputs, one batch is held.

    ``see`` sees each batch.
    """
    labels, said, probability, sums = [], [], [], list[Sums]()
    for examples, outputs in model.over(feed):
        sums.append(tallied(objective, outputs, np.asarray(examples.labels))[0])
        chances = np.asarray(model.programs.run("softmax", objective.probabilities, outputs))[: len(examples)]
        if see is not None:
            see(np.asarray(outputs)[: len(examples)], np.asarray(examples.labels))
        labels.append(examples.labels)
        said.append(objective.said(np.asarray(outputs))[: len(examples)])
        probability.append(np.take_along_axis(chances, said[-1][:, None], axis=-1)[:, 0])
    return Answers(
        labels=np.concatenate(labels),
        said=np.concatenate(said),
        probability=np.concatenate(probability),
        quality=float(objective.quality(reduce(add, sums))),
    )


def probabilities(model: LoadedModel, objective: Classify | Multilabel, inputs: np.ndarray) -> np.ndarray:
    """Returns float32 [N, C]: for each of the inputs [N, ...], N > 0, the probability of each class or label."""
    what = "softmax" if isinstance(objective, Classify) else "sigmoid"
    chances = [
        np.asarray(model.programs.run(what, objective.probabilities, outputs))[: len(part)]
        for part, outputs in model.over_inputs(inputs)
    ]
    return np.concatenate(chances)


def numbers(model: LoadedModel, objective: Regress, inputs: np.ndarray) -> np.ndarray:
    """Returns float64 [N]: the number that a model says of each of the inputs [N, ...], N > 0."""
    return np.concatenate([objective.said(np.asarray(out))[: len(part)] for part, out in model.over_inputs(inputs)])


def _tally(said: np.ndarray, labels: np.ndarray, num_classes: int) -> Tally:
    hits, truth, spoken = (
        tuple(map(int, np.bincount(each, minlength=num_classes))) for each in (labels[said == labels], labels, said)
    )
    return Tally(hits=hits, truth=truth, said=spoken)
