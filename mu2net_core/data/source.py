"""What a data source must offer. Other packages add one through the entry point group ``mu2net.sources``.

Dimension letters: N examples; of images H height, W width, C channels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Protocol

import numpy as np

from mu2net_core.objects import Limits, Output, Slice

__all__ = ["Examples", "Options", "RandomAccess", "Source", "SourceFactory", "SourceInfo", "Stored", "StoredExamples"]

Options = Mapping[str, int | str | bool]

Label = float | Sequence[float] | np.ndarray
"""Of one example, as the output has it: the number of its class, a number, or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One example as the source keeps it.

    Attributes:
        name: says which one it is in messages: a relative path, or ``train[17]``.
        input: as the kind of input has it: of an image an encoded file's bytes, or a uint8 array [H, W] or [H, W, C].
        label: as the output has it, not checked yet: of classes the number of one.
    """

    name: str
    input: bytes | np.ndarray
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What a source holds.

    Attributes:
        splits: number of examples by the source's own split names.
        output: what is to come out of models.
        metric: how quality is measured.
        input: the kind of what goes in.
        options: those that change what is read, to be kept with the task.
        skipped: names of broken examples left out on request.
        notes: what whoever adds the data should know of how it was read, one sentence each.
    """

    splits: Mapping[str, int]
    output: Output
    metric: str = "accuracy"
    input: str = "image"
    options: Options = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes or labels, in order; none of other outputs."""
        return self.output.labels


class RandomAccess(Protocol):
    """Stored examples by number, in any order; read by several threads at once."""

    def __len__(self) -> int:
        """Returns how many there are."""
        ...

    def __getitem__(self, index: int, /) -> Stored:
        """Returns one of them."""
        ...

    def take(self, numbers: Sequence[int], /) -> Iterator[Stored]:
        """Yields some of them, as numbered."""
        ...


class StoredExamples:
    """The examples of some slices, one slice after the other, each fetched when it is asked for.

    Args:
        slices: of the source.
        fetch: returns the example of a source's split at an index; called by several threads at once.
        fetch_many: yields several of one split, where that is faster than one after the other.
    """

    def __init__(
        self,
        slices: Sequence[Slice],
        fetch: Callable[[str, int], Stored],
        fetch_many: Callable[[str, Sequence[int]], Iterator[Stored]] | None = None,
    ) -> None:
        self._slices = tuple(slices)
        self._stops = tuple(accumulate(part.stop - part.start for part in slices))
        self._fetch = fetch
        self._fetch_many = fetch_many

    def __len__(self) -> int:
        return self._stops[-1] if self._stops else 0

    def __getitem__(self, index: int, /) -> Stored:
        return self._fetch(*self._place(index))

    def take(self, numbers: Sequence[int], /) -> Iterator[Stored]:
        """Yields some of them, as numbered; neighbours of one split are fetched together."""
        if self._fetch_many is None:
            yield from (self[number] for number in numbers)
            return
        for split, places in groupby(map(self._place, numbers), key=itemgetter(0)):
            yield from self._fetch_many(split, [index for _, index in places])

    def _place(self, index: int) -> tuple[str, int]:
        """Returns the split of the source, and the index in it, of one of the examples."""
        if not 0 <= index < len(self):
            raise IndexError(f"expected 0 to {len(self) - 1}, got {index}")
        number = bisect_right(self._stops, index)
        part = self._slices[number]
        return part.split, part.stop - (self._stops[number] - index)

    def __iter__(self) -> Iterator[Stored]:
        return (self[index] for index in range(len(self)))


class Source(Protocol):
    """A data set that can be read: a canonical URI, what is in it, and its examples in a fixed order.

    A source that derives from this class and cannot do better inherits ``examples``; any other offers its own.
    """

    @property
    def uri(self) -> str:
        """The canonical URI, its version pinned where there are versions."""
        ...

    def info(self) -> SourceInfo:
        """Returns what the source holds."""
        ...

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields the examples of ``slices``, one slice after the other, as they are stored."""
        ...

    def examples(self, slices: Sequence[Slice]) -> RandomAccess:
        """Returns the same examples by number; unless a source does better, it is asked to ``read`` one at a time."""

        def fetch(split: str, index: int) -> Stored:
            (stored,) = self.read((Slice(split=split, start=index, stop=index + 1),))
            return stored

        return StoredExamples(slices, fetch)


class SourceFactory(Protocol):
    """What an entry point of ``mu2net.sources`` names: a function or class that opens a source."""

    def __call__(self, rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> Source:
        """Returns the source for the URI ``<scheme>:<rest>``.

        Args:
            rest: of the URI.
            options: of the task; whoever shares it can write anything there.
            data_dir: where prepared data of catalogues lies; None for the catalogue's default.
            limits: how much this machine takes: bytes unpacked or in memory (``examples_bytes``), files (``names``).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Examples ready for a model.

    Attributes:
        inputs: [N, ...], of the shape and type that the model takes: of images uint8 [N, H, W, C].
        labels: [N, ...], of the shape and type that the task's output says: of classes int32 [N].
    """

    inputs: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if not self.inputs.shape[:1] == self.labels.shape[:1] != ():
            found = f"{self.inputs.shape} and {self.labels.shape}"
            raise ValueError(f"expected inputs [N, ...] and labels [N, ...], got {found}")

    def __len__(self) -> int:
        return len(self.labels)
