"""The active task's examples on their way to the device, and what frozen layers make of them.

A split that fits is in memory as it is read; a larger one is read as it is needed. Where preprocessing changes nothing,
what a frozen part makes of all examples is computed once and kept.

``N`` is the number of examples, ``M`` of those in a chunk, ``E`` of those evaluated at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np

from mu2net_core.data import Examples, Resident
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.training import Row
from mu2net_core.nn import InputSpec, LayerSpec
from mu2net_core.objects import Output

__all__ = ["Feed", "Frozen", "Held", "SizedData", "TaskData", "extended", "hold", "through"]


class Feed(Protocol):
    """A split of a task as models of one input take it, in memory or not."""

    @property
    def num_examples(self) -> int:
        """How many there are."""
        ...

    def shuffled(self, count: int, *, chunk: int, seed: int) -> Iterator[Examples]:
        """Returns an iterator over ``count`` different examples in an order drawn from a seed, ``chunk`` at a time."""
        ...

    def in_order(self, *, chunk: int, limit: int | None = None) -> Iterator[Examples]:
        """Returns an iterator over the first ``limit`` examples, or all, ``chunk`` at a time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Examples to evaluate together.

    Attributes:
        inputs: [E, ...], on the device: examples, or what a frozen part makes of them, padded.
        labels: on the host, without padding.
    """

    inputs: jax.Array
    labels: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The frozen part of a model, which may be none.

    Attributes:
        ids: of its components.
        specs: its layers.
        above: the first layer above it.
        row: returns its parameters; asked for only if they are needed.
        batch: E.
    """

    ids: tuple[str, ...]
    specs: tuple[LayerSpec, ...]
    above: tuple[LayerSpec, ...]
    row: Callable[[], Row]
    batch: int

    @property
    def place(self) -> tuple[Any, ...]:
        """All that decides what it makes of an example; the layer above says how much of it is read."""
        return (self.ids, tuple(spec.kind for spec in self.above), self.batch)


@dataclass(slots=True)
class TaskData:
    """The active task's examples as the models in use take them.

    Attributes:
        load: returns the split of that name as models of that input take it.
        output: of the task, which says what labels are.
        validation_cap: validation examples used, at most.
        resident_bytes: the largest split that is held in memory.
        kept_bytes: of what frozen parts make of the examples, at most.
    """

    load: Callable[[str, InputSpec], Feed]
    output: Output
    validation_cap: int
    resident_bytes: int
    kept_bytes: int
    _sized: dict[InputSpec, SizedData] = field(default_factory=dict)

    def at(self, input_spec: InputSpec) -> SizedData:
        """Returns the examples as models of that input take them; those of another are let go."""
        if input_spec not in self._sized:
            self._sized.clear()
            train, validation = self.load("train", input_spec), self.load("validation", input_spec)
            self._sized[input_spec] = SizedData(train=train, validation=validation, input_spec=input_spec, limits=self)
        return self._sized[input_spec]


@dataclass(slots=True)
class SizedData:
    """The two splits that training needs, as models of one input take them.

    Attributes:
        train: examples to train on.
        validation: examples to score on.
        input_spec: what each of them is.
        limits: of what is kept.
    """

    train: Feed
    validation: Feed
    input_spec: InputSpec
    limits: TaskData
    _kept: dict[tuple[Any, ...], tuple[Any, int]] = field(default_factory=dict)

    @property
    def num_validation(self) -> int:
        """How many validation examples are used."""
        return min(self.validation.num_examples, self.limits.validation_cap)

    def made(self, frozen: Frozen, programs: Programs) -> Resident | None:
        """Returns what the frozen part makes of all training examples; None if there is none, or no room for it."""
        if not frozen.ids or not self._is_resident(self.train.num_examples):
            return None
        size = self.train.num_examples * self._output_bytes(frozen, programs)
        made: Resident | None = self._keep(("train", *frozen.place), size, lambda: self._make(frozen, programs))
        return made

    def held(self, frozen: Frozen, programs: Programs) -> Iterator[Held]:
        """Yields the validation examples, E at a time, as the layers above the frozen part get them."""
        size = self.num_validation * self._output_bytes(frozen, programs)
        if not frozen.ids and not self._is_resident(self.num_validation):
            size = self.limits.kept_bytes + 1
        kept = self._keep(("held", *frozen.place), size, lambda: tuple(self._read(frozen, programs)))
        yield from self._read(frozen, programs) if kept is None else kept

    def _make(self, frozen: Frozen, programs: Programs) -> Resident:
        outputs, labels = [], []
        for examples in self.train.in_order(chunk=frozen.batch):
            made = through(frozen, hold(examples.inputs, frozen.batch, programs), programs)
            outputs.append(np.asarray(made)[: len(examples)])
            labels.append(examples.labels)
        return Resident(Examples(inputs=np.concatenate(outputs), labels=np.concatenate(labels)))

    def _read(self, frozen: Frozen, programs: Programs) -> Iterator[Held]:
        for examples in self.validation.in_order(chunk=frozen.batch, limit=self.num_validation):
            inputs = through(frozen, hold(examples.inputs, frozen.batch, programs), programs)
            yield Held(inputs=inputs, labels=np.asarray(examples.labels))

    def _keep(self, key: tuple[Any, ...], size_bytes: int, make: Callable[[], Any]) -> Any:
        """Returns what ``make`` made, now or before; None if it is too large. What was kept longest gives way."""
        if key in self._kept:
            return self._kept[key][0]
        if size_bytes > self.limits.kept_bytes:
            return None
        while self._kept and size_bytes + sum(size for _, size in self._kept.values()) > self.limits.kept_bytes:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (make(), size_bytes)
        return self._kept[key][0]

    def _is_resident(self, num_examples: int) -> bool:
        return num_examples * self.input_spec.size_bytes <= self.limits.resident_bytes

    def _output_bytes(self, frozen: Frozen, programs: Programs) -> int:
        made = programs.output(frozen.specs, frozen.above, self.input_spec)
        size: int = math.prod(made.shape) * made.dtype.itemsize
        return size


def through(frozen: Frozen, inputs: jax.Array, programs: Programs) -> jax.Array:
    """Returns what the frozen part makes of ``inputs`` [E, ...]."""
    if not frozen.ids:
        return inputs
    return programs.placement.put(programs.activations(frozen.specs, frozen.row(), inputs, above=frozen.above))


def hold(inputs: np.ndarray, batch: int, programs: Programs) -> jax.Array:
    """Returns what examples are, [M, ...], on the device, padded to ``batch``."""
    return programs.placement.put(extended(inputs, batch))


def extended(array: np.ndarray, size: int) -> np.ndarray:
    """Returns ``array`` [N, ...] as [size, ...], with zeros at the end."""
    if len(array) == size:
        return array
    whole = np.zeros((size, *array.shape[1:]), array.dtype)
    whole[: len(array)] = array
    return whole
