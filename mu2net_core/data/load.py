"""A task's examples as arrays, checked to be the ones the task was made from."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from blake3 import blake3

from mu2net_core.data.catalogue import is_file, open_source
from mu2net_core.data.labels import checked_label, empty_labels
from mu2net_core.data.modality import Modality, modality_of
from mu2net_core.data.source import Examples, Options, Source, Stored
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.objects import LIMITS, Limits, Split, Task

__all__ = ["Fingerprint", "checked", "load_split", "open_split"]


class Fingerprint:
    """Hashes examples as they are stored, before any decoding or resizing, in order.

    An example is hashed as label (of classes int32), number of array dimensions (0 for an encoded file), each
    dimension, number of bytes, all little-endian, and the bytes.

    Args:
        modality: says what tells one example from another.
    """

    def __init__(self, modality: Modality) -> None:
        self._modality = modality
        self._hash = blake3()

    def add(self, stored: Stored, label: np.ndarray) -> tuple[tuple[int, ...], bytes]:
        """Takes one example in, and returns the shape and the bytes of what goes into a model."""
        shape, data = self._modality.hashed(stored)
        self._hash.update(label.tobytes() + struct.pack(f"<I{len(shape)}QQ", len(shape), *shape, len(data)) + data)
        return shape, data

    def hexdigest(self) -> str:
        """Returns the fingerprint of what was taken in so far."""
        return self._hash.hexdigest()


def load_split(
    task: Task,
    split: str,
    *,
    shape: tuple[int, ...],
    data_dir: str | None = None,
    uri: str | None = None,
    verify: bool = True,
    brought: Options | None = None,
    limits: Limits = LIMITS,
) -> Examples:
    """Returns the examples of one of a task's splits, in the task's order.

    Args:
        task: as stored.
        split: ``train``, ``validation`` or ``test``.
        shape: of one example as the model takes it: of an image [H, W, C].
        data_dir: where prepared catalogue data lies.
        uri: where the data lies on this machine, if not where the task says.
        verify: check the fingerprint.
        brought: further options of how examples are read, which the model brings.
        limits: of this machine.

    Raises:
        DataError: the data changed under the task, cannot be found or cannot be read.
    """
    source = open_split(
        task, split, data_dir=data_dir, uri=uri, limits=limits
    )  # first of all: it checks that there are so many
    wanted = task.splits[split]
    modality = modality_of(task.input.kind)
    read = modality.reader(task.input, shape, {**task.options, **(brought or {})})
    inputs = np.empty((wanted.num_examples, *shape), modality.dtype)
    labels = empty_labels(task.output, wanted.num_examples)
    for index, (stored, label) in enumerate(checked(source, task, split, verify=verify)):
        inputs[index], labels[index] = read(stored), label
    return Examples(inputs=inputs, labels=labels)


def open_split(task: Task, split: str, *, data_dir: str | None, uri: str | None, limits: Limits = LIMITS) -> Source:
    """Returns the source of a task, which has the task's classes and all examples that the split names.

    Raises:
        DataError: it cannot be found, or has not.
    """
    wanted = task.splits[split]
    named = sum(part.stop - part.start for part in wanted.slices)
    if named != wanted.num_examples:
        raise DataError(
            f"The split {split} of the task {task.name} names {named} examples and counts {wanted.num_examples}."
        )
    try:
        source = open_source(uri or task.source, options=task.options, data_dir=data_dir, limits=limits)
    except NotFoundError as exc:
        raise DataError(
            f"The data of task {task.name} is not here: {exc.message}",
            hint=f"If it lies elsewhere on this machine: mu2net config set data.{task.name} {_scheme(task)}",
        ) from exc
    except InvalidInputError as exc:
        raise DataError(f"The data of task {task.name} cannot be read as the task says: {exc.message}") from exc
    _check_unchanged(task, wanted, source)
    return source


def checked(source: Source, task: Task, split: str, *, verify: bool = True) -> Iterator[tuple[Stored, np.ndarray]]:
    """Yields the examples of a split as they are stored, in the task's order, with their labels.

    At the end it checks what they were.

    Args:
        source: from ``open_split``.
        task: as stored.
        split: ``train``, ``validation`` or ``test``.
        verify: check the fingerprint.

    Raises:
        DataError: a label out of range; others or another number than the task was made from.
    """
    wanted = task.splits[split]
    fingerprint = Fingerprint(modality_of(task.input.kind))
    count = 0
    for stored in source.read(wanted.slices):
        label = checked_label(stored, task.output)
        if verify:
            fingerprint.add(stored, label)
        count += 1
        if count > wanted.num_examples:
            break
        yield stored, label
    if count != wanted.num_examples or (verify and fingerprint.hexdigest() != wanted.fingerprint):
        raise _changed(task, source, f"the examples of {split} are others")


def _check_unchanged(task: Task, split: Split, source: Source) -> None:
    info = source.info()
    if (info.input, info.output.kind) != (task.input.kind, task.output.kind):
        raise _changed(
            task,
            source,
            f"expected {task.input.kind} and {task.output.kind}, found {info.input} and {info.output.kind}",
        )
    if info.classes != task.output.labels:
        raise _changed(task, source, f"expected {task.output.size} classes, found {len(info.classes)} or other names")
    for part in split.slices:
        found = info.splits.get(part.split, 0)
        if found < part.stop:
            raise _changed(task, source, f"expected at least {part.stop} examples in {part.split}, found {found}")


def _scheme(task: Task) -> str:
    return f"{task.source.partition(':')[0]}:PATH" if is_file(task.source) else "URI"


def _changed(task: Task, source: Source, what: str) -> DataError:
    return DataError(
        f"The data set changed under the task {task.name} ({source.uri}): {what}.",
        hint="Restore the data, or add the changed data as a new task with --name.",
    )
