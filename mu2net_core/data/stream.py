"""A task's examples read as they are needed, for data sets that fit into no memory.

Grain shuffles numbers, not examples: the place of each in a shuffled order is computed when it is wanted. Threads read,
decode and resize blocks of examples ahead of use; blocks come out in order, whichever is ready first.

Dimension letters: N examples; of images H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from mu2net_core.data.labels import checked_label, empty_labels
from mu2net_core.data.load import checked, open_split
from mu2net_core.data.modality import modality_of
from mu2net_core.data.source import Examples, Options
from mu2net_core.objects import LIMITS, Limits, Task
from mu2net_core.seeds import derive_seed

__all__ = ["ExampleStream", "ReadAhead"]

_MAX_BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAhead:
    """How examples are read before they are asked for.

    Threads work on while a chunk is used, until so much is ready: less than a chunk means that its user waits for it.

    Attributes:
        num_threads: that read examples and make them ready.
        size_bytes: of examples, ready for a model, that are being made or wait; at least one example, whatever it is.
    """

    num_threads: int = 4
    size_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        if self.num_threads < 1 or self.size_bytes < 1:
            raise ValueError(f"expected at least one thread and one byte, got {self}")

    def plan(self, example_bytes: int) -> tuple[int, int]:
        """Returns how many examples make a block, one thread's piece of work, and how many blocks there may be."""
        fitting = max(1, self.size_bytes // example_bytes)
        block = max(1, min(_MAX_BLOCK, fitting // (2 * self.num_threads + 1)))
        return block, max(1, fitting // block - 1)  # one more is in the consumer's hand


class ExampleStream:
    """A split's examples, read as they are needed: any number in bounded memory.

    Before the first example is given out, one pass over the stored bytes checks that they are those the task was made
    from. Besides what is read ahead, memory holds two chunks; for each thread, one example in its original size and
    a few encoded ones; and what the source keeps to find an example: nothing for a catalogue data set, names for a
    folder, all for an ``.npz``.

    Args:
        task: as stored.
        split: ``train``, ``validation`` or ``test``.
        shape: of one example as the model takes it: of an image [H, W, C].
        data_dir: where prepared catalogue data lies.
        uri: where the data lies on this machine, if not where the task says.
        verify: check the fingerprint.
        brought: further options of how examples are read, which the model brings.
        ahead: how much is read ahead, by how many threads.
        limits: of this machine.

    Raises:
        DataError: the data is not here or changed under the task.
    """

    def __init__(
        self,
        task: Task,
        split: str,
        *,
        shape: tuple[int, ...],
        data_dir: str | None = None,
        uri: str | None = None,
        verify: bool = True,
        brought: Options | None = None,
        ahead: ReadAhead | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.num_examples = task.splits[split].num_examples
        modality = modality_of(task.input.kind)
        self._empty = Examples(inputs=np.empty((0, *shape), modality.dtype), labels=empty_labels(task.output, 0))
        self.example_bytes = _size_bytes(self._empty.inputs) + _size_bytes(self._empty.labels)
        self._task, self._split = task, split
        self._read = modality.reader(task.input, shape, {**task.options, **(brought or {})})
        self._ahead = ahead or ReadAhead()
        self._source = open_split(task, split, data_dir=data_dir, uri=uri, limits=limits)
        self._examples = self._source.examples(task.splits[split].slices)
        self._to_verify = verify

    def shuffled(self, count: int, *, chunk: int, seed: int) -> Iterator[Examples]:
        """Returns an iterator over ``count`` different examples, in an order drawn from a seed.

        The same seed gives the same examples in the same order, however they are read. Close the iterator, or drop it,
        to stop reading ahead.

        Args:
            count: how many, up to all.
            chunk: how many at a time; the last chunk may be smaller.
            seed: any integer.

        Raises:
            DataError: when it is called, the data is not the task's; later, an image is broken or cannot be read.
        """
        self._verify()
        return self._chunks(self._numbers().shuffle(seed=derive_seed(seed, "stream") >> 31), count, chunk)

    def in_order(self, *, chunk: int, limit: int | None = None) -> Iterator[Examples]:
        """Returns an iterator over the first ``limit`` examples, or all, in the task's order.

        Args:
            chunk: how many at a time; the last chunk may be smaller.
            limit: how many at most.

        Raises:
            DataError: as for ``shuffled``.
        """
        self._verify()
        count = self.num_examples if limit is None else min(limit, self.num_examples)
        return self._chunks(self._numbers(), count, chunk)

    def _verify(self) -> None:
        if self._to_verify:
            for _ in checked(self._source, self._task, self._split):
                pass
            self._to_verify = False

    def _numbers(self) -> Any:
        from grain import MapDataset

        return MapDataset.range(self.num_examples)

    def _chunks(self, numbers: Any, count: int, chunk: int) -> Iterator[Examples]:
        if not 0 < count <= self.num_examples or chunk < 1:
            raise ValueError(f"expected 1 to {self.num_examples} examples in chunks, got {count} in chunks of {chunk}")
        return _rechunk(self._blocks(numbers[:count]), count, chunk, self._empty)

    def _blocks(self, numbers: Any) -> Any:
        """Returns the examples of some numbers block by block: an iterator with threads behind it, to be closed."""
        from grain import ReadOptions

        block, num_blocks = self._ahead.plan(self.example_bytes)
        blocks = numbers.batch(block, batch_fn=tuple).map(self._block)
        num_threads = min(self._ahead.num_threads, num_blocks, len(blocks))
        return blocks.to_iter_dataset(ReadOptions(num_threads=num_threads, prefetch_buffer_size=num_blocks))

    def _block(self, numbers: Sequence[int]) -> Examples:
        block = _room(self._empty, len(numbers))
        for place, stored in enumerate(self._examples.take(numbers)):
            label = checked_label(stored, self._task.output)
            block.inputs[place], block.labels[place] = self._read(stored), label
        return block


def _size_bytes(array: np.ndarray) -> int:
    """Returns how much memory one more example of ``array`` [N, ...] takes."""
    return int(np.prod(array.shape[1:])) * array.itemsize


def _room(like: Examples, count: int) -> Examples:
    """Returns room for examples of the shapes and types of ``like``."""
    inputs, labels = (np.empty((count, *one.shape[1:]), one.dtype) for one in (like.inputs, like.labels))
    return Examples(inputs=inputs, labels=labels)


def _rechunk(blocks: Any, count: int, chunk: int, like: Examples) -> Iterator[Examples]:
    """Yields ``count`` examples, which come in blocks, in chunks."""
    with closing(iter(blocks)) as reader:
        block, used = next(reader), 0
        for start in range(0, count, chunk):
            wanted = min(chunk, count - start)
            whole, filled = _room(like, wanted), 0
            while filled < wanted:
                if used == len(block):
                    block, used = next(reader), 0
                taken = min(len(block) - used, wanted - filled)
                whole.inputs[filled : filled + taken] = block.inputs[used : used + taken]
                whole.labels[filled : filled + taken] = block.labels[used : used + taken]
                filled, used = filled + taken, used + taken
            yield whole
