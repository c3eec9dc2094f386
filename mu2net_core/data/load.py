"""A task's examples as arrays, checked to be the ones the task was made from."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from blake3 import blake3

from mu2net_core.data.catalogue import open_source
from mu2net_core.data.images import as_pixels, fit
from mu2net_core.data.source import Examples, SourceInfo, Stored
from mu2net_core.errors import DataError, NotFoundError
from mu2net_core.objects import Split, Task

__all__ = ["Fingerprint", "check_label", "load_split"]


class Fingerprint:
    """Hashes examples as they are stored, before any decoding or resizing, in order.

    An example is hashed as label (int32), number of array dimensions (0 for an encoded file), each dimension, number
    of bytes, all little-endian, and the bytes.
    """

    def __init__(self) -> None:
        self._hash = blake3()

    def add(self, stored: Stored) -> None:
        """Takes one example in."""
        image = stored.image
        shape = () if isinstance(image, bytes) else image.shape
        data = image if isinstance(image, bytes) else image.tobytes()
        self._hash.update(struct.pack(f"<iI{len(shape)}QQ", stored.label, len(shape), *shape, len(data)) + data)

    def hexdigest(self) -> str:
        """Returns the fingerprint of what was taken in so far."""
        return self._hash.hexdigest()


def check_label(stored: Stored, num_classes: int) -> None:
    """Checks that the label is one of the classes.

    Raises:
        DataError: it is not.
    """
    if not 0 <= stored.label < num_classes:
        raise DataError(
            f"Label out of range: expected 0 to {num_classes - 1}, found {stored.label} in {stored.name}.",
            hint="If these examples have no labels, choose others with --train, --validation or --test.",
        )


def load_split(
    task: Task,
    split: str,
    *,
    size: tuple[int, int],
    channels: int = 3,
    data_dir: str | None = None,
    uri: str | None = None,
    verify: bool = True,
) -> Examples:
    """Returns the examples of one of a task's splits, in the task's order.

    Args:
        task: as stored.
        split: ``train``, ``validation`` or ``test``.
        size: (H, W) to resize to.
        channels: 1 or 3.
        data_dir: where prepared catalogue data lies.
        uri: where the data lies on this machine, if not where the task says.
        verify: check the fingerprint.

    Raises:
        DataError: the data changed under the task, cannot be found or cannot be read.
    """
    wanted = task.splits[split]
    named = sum(part.stop - part.start for part in wanted.slices)
    if named != wanted.num_examples:
        raise DataError(
            f"The split {split} of the task {task.name} names {named} examples and counts {wanted.num_examples}."
        )
    examples = _read(task, wanted, data_dir, uri)  # first of all: it checks that there are so many
    images = np.empty((wanted.num_examples, *size, channels), np.uint8)
    labels = np.empty(wanted.num_examples, np.int32)
    fingerprint = Fingerprint()
    index = 0
    for index, stored in enumerate(examples, start=1):
        if verify:
            fingerprint.add(stored)
        check_label(stored, task.num_classes)
        images[index - 1] = fit(as_pixels(stored.image, stored.name), size, channels)
        labels[index - 1] = stored.label
    if index != wanted.num_examples or (verify and fingerprint.hexdigest() != wanted.fingerprint):
        raise _changed(task, f"the examples of {split} are others")
    return Examples(images=images, labels=labels)


def _read(task: Task, split: Split, data_dir: str | None, uri: str | None) -> Iterator[Stored]:
    try:
        source = open_source(uri or task.source, options=task.options, data_dir=data_dir)
    except NotFoundError as exc:
        raise DataError(
            f"The data of task {task.name} is not here: {exc.message}",
            hint=f"If it lies elsewhere on this machine: mu2net config set data.{task.name} URI",
        ) from exc
    info = source.info()
    _check_unchanged(task, split, info)
    return source.read(split.slices)


def _check_unchanged(task: Task, split: Split, info: SourceInfo) -> None:
    if info.classes != task.classes:
        raise _changed(task, f"expected {task.num_classes} classes, found {len(info.classes)} or other names")
    for part in split.slices:
        found = info.splits.get(part.split, 0)
        if found < part.stop:
            raise _changed(task, f"expected at least {part.stop} examples in {part.split}, found {found}")


def _changed(task: Task, what: str) -> DataError:
    return DataError(
        f"The data set changed under the task {task.name} ({task.source}): {what}.",
        hint="Restore the data, or add the changed data as a new task with --name.",
    )
