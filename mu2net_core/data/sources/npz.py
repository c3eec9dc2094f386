"""``npz:PATH``: arrays in one NumPy archive, read without pickle.

Images and labels under ``x_train, y_train, x_test, y_test`` (and optionally ``x_validation, y_validation``), or
``x, y``, or ``images, labels``. Images are [N, H, W] or [N, H, W, C] integers 0…255; labels are integers from 0.
``classes``, an array of strings, may name the labels.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mu2net_core.data.order import fair_permutation
from mu2net_core.data.source import Options, SourceInfo, Stored, StoredExamples
from mu2net_core.errors import DataError, NotFoundError
from mu2net_core.objects import Slice

__all__ = ["NpzSource", "open_npz"]

_PAIRS = {
    "train": (("x_train", "y_train"),),
    "validation": (("x_validation", "y_validation"), ("x_val", "y_val")),
    "test": (("x_test", "y_test"),),
    "all": (("x", "y"), ("images", "labels")),
}
_MAX_CLASSES = 1_000_000


class NpzSource:
    """The splits of one archive, each in a fixed pseudo-random order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uri = f"npz:{path}"
        arrays = _read(path)
        self._splits = _pair_up(arrays, path)
        self._classes = _classes(arrays.get("classes"), self._splits, path)

    def info(self) -> SourceInfo:
        """Returns splits and classes."""
        return SourceInfo(splits={name: len(y) for name, (_, y) in self._splits.items()}, classes=self._classes)

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields images as arrays."""
        return iter(self.examples(slices))

    def examples(self, slices: Sequence[Slice]) -> StoredExamples:
        """Returns the same images by number."""
        orders = {split: fair_permutation(len(self._splits[split][1])) for split in {part.split for part in slices}}

        def fetch(split: str, index: int) -> Stored:
            (images, labels), place = self._splits[split], orders[split][index]
            return Stored(name=f"{split}[{place}]", image=images[place], label=int(labels[place]))

        return StoredExamples(slices, fetch)


def _read(path: Path) -> Mapping[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"Expected a NumPy archive (.npz), found a single array: {path}.")
            with archive:
                return {key: archive[key] for key in archive.files}
    except FileNotFoundError as exc:
        raise NotFoundError(f"No such file: {path}.") from exc
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError) as exc:
        why = "found something else in it" if "pickle" in str(exc) else str(exc).rstrip(".")
        raise DataError(f"Cannot read {path} as a NumPy archive (.npz) without pickled objects: {why}.") from exc


def _pair_up(arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    splits = {}
    for split, pairs in _PAIRS.items():
        for x, y in pairs:
            if x in arrays and y in arrays:
                splits[split] = _checked(arrays[x], arrays[y], f"{path}, {x} and {y}")
    if not splits or ("train" not in splits and "all" not in splits):
        raise DataError(
            f"Expected x_train, y_train, x_test, y_test, or x, y, or images, labels in {path}; "
            f"found {', '.join(sorted(arrays)) or 'nothing'}.",
        )
    return splits if "train" in splits else {"all": splits["all"]}


def _checked(images: np.ndarray, labels: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if images.ndim not in {3, 4} or (images.ndim == 4 and images.shape[3] not in {1, 3}) or 0 in images.shape[1:]:
        raise DataError(f"{what}: expected images [N, H, W] or [N, H, W, 1 or 3], found {images.shape}.")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"{what}: expected one integer label per image, [{len(images)}], found {labels.dtype} {labels.shape}."
        )
    if images.dtype.kind not in "iu" or (images.size and (images.min() < 0 or images.max() > 255)):
        raise DataError(
            f"{what}: expected images of integers from 0 to 255, found {images.dtype}.",
            hint="For values from 0 to 1, store (x * 255).round().astype('uint8').",
        )
    return images.astype(np.uint8, copy=False), labels


def _classes(
    names: np.ndarray | None, splits: Mapping[str, tuple[np.ndarray, np.ndarray]], path: Path
) -> tuple[str, ...]:
    if names is not None:
        if names.dtype.kind != "U" or names.ndim != 1:
            raise DataError(f"{path}: expected classes to be an array of strings, found {names.dtype} {names.shape}.")
        return tuple(str(name) for name in names)
    highest = max((int(labels.max()) for _, labels in splits.values() if labels.size), default=-1)
    examples = sum(len(labels) for _, labels in splits.values())
    if highest >= min(max(examples, 2), _MAX_CLASSES):
        raise DataError(
            f"{path}: label out of range: {highest}, with only {examples} examples.",
            hint="Labels must count from 0; name them in an array 'classes' if that is what they are.",
        )
    return tuple(str(label) for label in range(highest + 1))


def open_npz(rest: str, *, options: Options, data_dir: str | None) -> NpzSource:  # noqa: ARG001
    """Returns the source ``npz:<rest>``.

    Raises:
        NotFoundError: there is no such file.
        DataError: it does not hold images and labels as expected.
    """
    return NpzSource(Path(rest))
