"""Using a stored model: how many examples it gets right, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt

import jax
import numpy as np

from mu2net_core.data import Examples
from mu2net_core.engine.feeding import Feed, hold
from mu2net_core.engine.fitting import check_component
from mu2net_core.engine.programs import Programs, Row
from mu2net_core.nn import ArchitectureFamily, LayerSpec, Precision
from mu2net_core.objects import Component, Model

__all__ = ["Answers", "Tally", "answers", "count_correct", "load_row", "precision_of", "probabilities", "tally"]

_SURE = 1.645
"""So many standard deviations above what chance gives happen to it once in 20 times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a model says of the examples of a split.

    Attributes:
        right: how many get their label.
        truth: how many there are of each class.
        said: of how many it says each class.
    """

    right: int
    truth: tuple[int, ...]
    said: tuple[int, ...]

    @property
    def accuracy(self) -> float:
        """The share that gets its label."""
        return self.right / sum(self.truth)

    @property
    def only_label(self) -> int | None:
        """The label it says of every example, although there are several; None if it says several, too."""
        spoken = [label for label, count in enumerate(self.said) if count]
        return spoken[0] if len(spoken) == 1 < sum(count > 0 for count in self.truth) else None

    @property
    def is_chance(self) -> bool:
        """Whether it is right no more often than the most frequent label is, as far as the examples can tell."""
        total, most = sum(self.truth), max(self.truth)
        if most == total:
            return False
        return self.right <= most + _SURE * sqrt(most * (1 - most / total))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model says of every example of a split, in the split's order.

    Attributes:
        labels: int32 [N], what they are.
        said: int64 [N], the likeliest class.
        probability: float32 [N], of that class.
    """

    labels: np.ndarray
    said: np.ndarray
    probability: np.ndarray


def load_row(
    model: Model, specs: tuple[LayerSpec, ...], load: Callable[[str], Component], family: ArchitectureFamily
) -> Row:
    """Returns the parameters of a stored model, layer by layer, on the device.

    Raises:
        CorruptObjectError: the components are not those the architecture asks for.
    """
    row = []
    for ref, spec in zip(model.components, specs, strict=True):
        component = load(ref.id)
        check_component(family, spec, component, ref.id)
        row.append({name: jax.device_put(array) for name, array in component.params.items()})
    return tuple(row)


def precision_of(model: Model) -> Precision:
    """Returns in which products a stored model was trained and measured, so that it is used in the same."""
    return "bfloat16" if model.versions.get("precision") == "bfloat16" else "float32"


def count_correct(programs: Programs, specs: tuple[LayerSpec, ...], row: Row, feed: Feed) -> int:
    """Returns how many examples of a split get their label, exact whatever the batch; memory is that of one batch."""
    batch = programs.evaluation_batch(specs)
    held = (hold(examples, batch, programs) for examples in feed.in_order(chunk=batch))
    return sum(int(programs.count(programs.activations(specs, row, one.inputs), one.labels)[0]) for one in held)


def tally(programs: Programs, specs: tuple[LayerSpec, ...], row: Row, feed: Feed) -> Tally:
    """Returns what a model says of a split's examples, exact whatever the batch; memory is that of one batch."""
    batch = programs.evaluation_batch(specs)
    truth, said, right = np.zeros(0, np.int64), np.zeros(0, np.int64), 0
    for examples in feed.in_order(chunk=batch):
        logits = np.asarray(programs.activations(specs, row, hold(examples, batch, programs).inputs))
        labels, chosen = np.asarray(examples.labels), logits[: len(examples)].argmax(axis=-1)
        counts = [np.bincount(each, minlength=logits.shape[-1]) for each in (labels, chosen)]
        truth, said = (counts[0], counts[1]) if truth.size == 0 else (truth + counts[0], said + counts[1])
        right += int(np.sum(chosen == labels))
    return Tally(right=right, truth=tuple(map(int, truth)), said=tuple(map(int, said)))


def answers(programs: Programs, specs: tuple[LayerSpec, ...], row: Row, feed: Feed) -> Answers:
    """Returns what a model says of every example of a split, exact whatever the batch; of images, one batch is held."""
    batch = programs.evaluation_batch(specs)
    labels, said, probability = [], [], []
    for examples in feed.in_order(chunk=batch):
        logits = programs.activations(specs, row, hold(examples, batch, programs).inputs)
        chances = np.asarray(programs.run("softmax", jax.nn.softmax, logits))[: len(examples)]
        labels.append(examples.labels)
        said.append(np.asarray(logits)[: len(examples)].argmax(axis=-1))
        probability.append(np.take_along_axis(chances, said[-1][:, None], axis=-1)[:, 0])
    return Answers(labels=np.concatenate(labels), said=np.concatenate(said), probability=np.concatenate(probability))


def probabilities(programs: Programs, specs: tuple[LayerSpec, ...], row: Row, images: np.ndarray) -> np.ndarray:
    """Returns float32 [N, C]: for each of the examples [N, ...], N > 0, the probability of each class."""
    batch = programs.evaluation_batch(specs)
    parts = []
    for part in _parts(images, batch):
        logits = programs.activations(specs, row, hold(part, batch, programs).inputs)
        parts.append(np.asarray(programs.run("softmax", jax.nn.softmax, logits))[: len(part)])
    return np.concatenate(parts)


def _parts(images: np.ndarray, batch: int) -> Iterator[Examples]:
    for begin in range(0, len(images), batch):
        part = images[begin : begin + batch]
        yield Examples(images=part, labels=np.zeros(len(part), np.int32))
