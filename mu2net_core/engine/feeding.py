"""The active task's examples on their way to the device, and what frozen layers make of them.

A split that fits is in memory as it is read; a larger one is read as it is needed. Where preprocessing changes nothing,
what a frozen part makes of all examples is computed once and kept.

``N`` is the number of examples, ``M`` of those in a chunk, ``E`` of those evaluated at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Protocol, TypeVar

import jax
import numpy as np

from mu2net_core.data import Examples, Resident
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.training import Row
from mu2net_core.nn import InputSpec, LayerSpec
from mu2net_core.objects import Output

__all__ = ["Feed", "Frozen", "Held", "SizedData", "TaskData", "Whole", "extended", "hold", "through"]


T = TypeVar("T")

Whole = tuple[jax.Array, jax.Array]
"""Inputs and labels of all examples, [M, ...] each, on the device, padded."""


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
        num_examples: of each split that training needs: ``train`` and ``validation``.
        output: of the task, which says what labels are.
        validation_cap: validation examples used, at most.
        resident_bytes: of splits that are held in memory, at most: no larger one is.
        kept_bytes: of what frozen parts make of the examples, at most.
    """

    load: Callable[[str, InputSpec], Feed]
    num_examples: Mapping[str, int]
    output: Output
    validation_cap: int
    resident_bytes: int
    kept_bytes: int
    _read: dict[tuple[str, InputSpec], tuple[Future[Feed], int]] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _kept: dict[tuple[Any, ...], tuple[Any, int]] = field(default_factory=dict, init=False)

    def at(self, input_spec: InputSpec) -> SizedData:
        """Returns the examples as models of that input take them; none is read before it is needed."""
        return SizedData(input_spec=input_spec, task=self)

    def pooled(self) -> TaskData:
        """Returns the task's examples with those of the validation among those to train on, too."""
        counts, train = self.num_examples, self.num_examples["train"] + self.num_examples["validation"]

        def load(name: str, input_spec: InputSpec) -> Feed:
            if name != "train":
                return self.split(name, input_spec)
            whole = [next(self.split(one, input_spec).in_order(chunk=counts[one])) for one in ("train", "validation")]
            inputs, labels = ([getattr(one, name) for one in whole] for name in ("inputs", "labels"))
            return Resident(Examples(inputs=np.concatenate(inputs), labels=np.concatenate(labels)))

        return replace(self, load=load, num_examples={**counts, "train": train})

    def fits(self, input_spec: InputSpec) -> bool:
        """Returns whether all of its examples to train on fit twice in the memory that there is for a split."""
        return 2 * self.num_examples["train"] * input_spec.size_bytes <= self.resident_bytes

    def split(self, name: str, input_spec: InputSpec) -> Feed:
        """Returns a split, read now or before; those of another input give way if there is no room for all.

        Who asks for one that another thread reads waits for it.
        """
        key, size, mine = (name, input_spec), self.num_examples[name] * input_spec.size_bytes, Future[Feed]()
        with self._lock:
            if key not in self._read:
                held = size if size <= self.resident_bytes else 0
                others = [key for key in self._read if key[1] != input_spec]
                _make_room(self._read, others, held, self.resident_bytes)
                self._read[key] = (mine, held)
            found = self._read[key][0]
        if found is mine:
            try:
                mine.set_result(self.load(name, input_spec))
            except BaseException as exc:
                self._read.pop(key, None)
                mine.set_exception(exc)
                raise
        return found.result()

    def keep(self, key: tuple[Any, ...], size_bytes: int, make: Callable[[], T]) -> T | None:
        """Returns what ``make`` made, now or before; None if it is too large. What was kept longest gives way."""
        if key not in self._kept:
            if size_bytes > self.kept_bytes:
                return None
            _make_room(self._kept, list(self._kept), size_bytes, self.kept_bytes)
            self._kept[key] = (make(), size_bytes)
        made: T = self._kept[key][0]
        return made


def _make_room(kept: dict[Any, tuple[Any, int]], may_go: Sequence[Any], size_bytes: int, most: int) -> None:
    """Lets go of those that may go, what was kept longest first, until there is room for ``size_bytes`` more."""
    for key in may_go:
        if size_bytes + sum(size for _, size in kept.values()) <= most:
            return
        del kept[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedData:
    """The two splits that training needs, as models of one input take them.

    Attributes:
        input_spec: what each example is.
        task: all of the task's examples, and how much of them is kept.
    """

    input_spec: InputSpec
    task: TaskData

    @property
    def train(self) -> Feed:
        """Examples to train on."""
        return self.task.split("train", self.input_spec)

    @property
    def validation(self) -> Feed:
        """Examples to score on."""
        return self.task.split("validation", self.input_spec)

    def read(self) -> None:
        """Reads both splits, unless they were read before or stream."""
        for name in ("train", "validation"):
            self.task.split(name, self.input_spec)

    @property
    def num_train(self) -> int:
        """How many examples there are to train on."""
        return self.task.num_examples["train"]

    @property
    def num_validation(self) -> int:
        """How many validation examples are used."""
        return min(self.task.num_examples["validation"], self.task.validation_cap)

    def made(self, frozen: Frozen, programs: Programs) -> Resident | None:
        """Returns what the frozen part makes of all training examples; None if there is none, or no room for it."""
        if not frozen.ids or not self._is_resident(self.num_train):
            return None
        size = self.num_train * self._output_bytes(frozen, programs)
        return self._keep("train", frozen, size, lambda: self._make(frozen, programs))

    def whole(self, frozen: Frozen, programs: Programs, room: int) -> Whole | None:
        """Returns all training examples, on the device with ``room`` for so many; None if there are more, or no memory.

        They are as the layers above the frozen part get them.
        """
        if self.num_train > room or not self._is_resident(self.num_train):
            return None

        def put() -> Whole:
            feed = self._make(frozen, programs) if frozen.ids else self.train
            (examples,) = feed.in_order(chunk=self.num_train)
            return hold(examples.inputs, room, programs), hold(examples.labels, room, programs)

        return self._keep("whole", frozen, room * self._output_bytes(frozen, programs), put)

    def held(self, frozen: Frozen, programs: Programs) -> Iterator[Held]:
        """Yields the validation examples, E at a time, as the layers above the frozen part get them."""
        size = self.num_validation * self._output_bytes(frozen, programs)
        if not frozen.ids and not self._is_resident(self.num_validation):
            size = self.task.kept_bytes + 1
        kept = self._keep("held", frozen, size, lambda: tuple(self._read(frozen, programs)))
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

    def _keep(self, what: str, frozen: Frozen, size_bytes: int, make: Callable[[], T]) -> T | None:
        return self.task.keep((what, self.input_spec, *frozen.place), size_bytes, make)

    def _is_resident(self, num_examples: int) -> bool:
        return num_examples * self.input_spec.size_bytes <= self.task.resident_bytes

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
