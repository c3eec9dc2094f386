"""``npz:PATH``: arrays in one NumPy archive, read without pickle.

Which arrays are images and labels of which split, what their numbers mean and how their labels are coded: see
``npz_names``, ``npz_pixels`` and ``npz_labels``. ``classes``, an array of strings, may name the labels. Every split
comes in a fixed pseudo-random order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mu2net_core.data.order import fair_permutation
from mu2net_core.data.source import Options, SourceInfo, Stored, StoredExamples
from mu2net_core.data.sources.npz_labels import read_classes, read_labels
from mu2net_core.data.sources.npz_names import described, find_pairs
from mu2net_core.data.sources.npz_pixels import read_pixels
from mu2net_core.errors import CorruptObjectError, DataError
from mu2net_core.npz import Npz, open_npz
from mu2net_core.objects import Classes, Limits, Slice

__all__ = ["NpzSource", "open_arrays"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What an archive holds: images and class numbers by split, names of the classes, and what to tell of it."""

    splits: Mapping[str, tuple[np.ndarray, np.ndarray]]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


class NpzSource:
    """The splits of one archive, each in a fixed pseudo-random order."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.uri = f"npz:{path}"
        self._content = _read(path, limits)

    def info(self) -> SourceInfo:
        """Returns splits and classes."""
        content = self._content
        splits = {name: len(labels) for name, (_, labels) in content.splits.items()}
        return SourceInfo(splits=splits, output=Classes(names=content.classes), notes=content.notes)

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields images as arrays."""
        return iter(self.examples(slices))

    def examples(self, slices: Sequence[Slice]) -> StoredExamples:
        """Returns the same images by number."""
        splits = self._content.splits
        orders = {split: fair_permutation(len(splits[split][1])) for split in {part.split for part in slices}}

        def fetch(split: str, index: int) -> Stored:
            (images, labels), place = splits[split], orders[split][index]
            return Stored(name=f"{split}[{place}]", input=images[place], label=int(labels[place]))

        return StoredExamples(slices, fetch)


def _read(path: Path, limits: Limits) -> _Content:
    try:
        with open_npz(path, limits=limits) as archive:
            return _content(archive, str(path), limits)
    except CorruptObjectError as exc:
        raise DataError(exc.message, hint=exc.hint) from exc
    except MemoryError as exc:
        raise DataError(f"The arrays in {path} do not fit into memory.") from exc


def _content(archive: Npz, what: str, limits: Limits) -> _Content:
    headers = {name: archive.outline(name) for name in archive.names}
    pairs = find_pairs(headers, what)
    wanted = [name for pair in pairs.splits.values() for name in pair] + ([pairs.classes] if pairs.classes else [])
    for name in wanted:
        if headers[name].dtype.hasobject:
            raise _objects(name, described([name], headers), what, images=name in {x for x, _ in pairs.splits.values()})
    size_bytes = sum(headers[name].num_bytes for name in wanted)
    if size_bytes > limits.examples_bytes:
        raise DataError(
            f"{what}: the arrays would take {size_bytes} bytes of memory; at most {limits.examples_bytes} do "
            "(limits.examples_bytes)."
        )
    arrays = {name: archive.read(name) for name in wanted}
    names = None if pairs.classes is None else read_classes(arrays[pairs.classes], what)
    beside = {y: headers[x].shape[0] if headers[x].shape else 0 for x, y in pairs.splits.values()}
    labels, classes, renamed = read_labels({y: arrays[y] for _, y in pairs.splits.values()}, beside, names, what)
    counts = {x: len(labels[y]) for x, y in pairs.splits.values()}
    images, converted = read_pixels({x: arrays[x] for x, _ in pairs.splits.values()}, counts, what)
    return _Content(
        splits={split: (images[x], labels[y]) for split, (x, y) in pairs.splits.items()},
        classes=classes,
        notes=(*pairs.notes, *converted, *renamed),
    )


def _objects(name: str, found: str, what: str, *, images: bool) -> DataError:
    hint = f"Where you trust them, store a plain array: {name} = np.array({name}.tolist())"
    if images:
        hint += ". Images of several sizes cannot be one: write them as files, for folder:PATH"
    return DataError(f"{what}: {found} holds Python objects, and those are never unpickled.", hint=hint)


def open_arrays(rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> NpzSource:  # noqa: ARG001
    """Returns the source ``npz:<rest>``.

    Raises:
        NotFoundError: there is no such file.
        DataError: it does not hold images and labels as expected.
    """
    return NpzSource(Path(rest), limits)
