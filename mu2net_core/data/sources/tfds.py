"""``tfds:NAME``: a TensorFlow Datasets catalogue entry, e.g. ``cmaterdb/bangla`` or ``mnist:3.0.1``.

Data prepared in a random-access format (ArrayRecord) is read without TensorFlow; preparing it needs TensorFlow, see
``prepare``. The folder of a prepared data set is found here rather than by ``tfds.builder``, which imports the data
set's code and may ask a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from mu2net_core.data.source import Options, SourceInfo, Stored, StoredExamples
from mu2net_core.data.sources.prepare import import_tfds, prepare
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.objects import Classes, Limits, Slice

__all__ = ["TfdsSource", "open_tfds"]

_NAME = re.compile(
    r"(?P<name>[a-z0-9_]+)(/(?P<config>[A-Za-z0-9_+-][A-Za-z0-9_.+-]*))?(:(?P<version>[0-9]+(\.[0-9]+)*))?"
)
_TOGETHER, _TOGETHER_BYTES = 256, 2**18


class TfdsSource:
    """A prepared catalogue data set with one image and one class label per example."""

    def __init__(self, folder: Path) -> None:
        self._tfds = import_tfds()
        self._builder = _open(self._tfds, folder)
        info = self._builder.info
        name, version = info.full_name.rsplit("/", 1)
        self.uri = f"tfds:{name}:{version}"
        self._image, self._label = _keys(self._tfds, info.features, self.uri)
        self._classes = tuple(info.features[self._label].names)
        self._opened: dict[str, Any] = {}

    def info(self) -> SourceInfo:
        """Returns the splits and classes the data set declares."""
        splits = {name: split.num_examples for name, split in self._builder.info.splits.items()}
        return SourceInfo(splits=splits, output=Classes(names=self._classes))

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields encoded images, in the order of the prepared files.

        Raises:
            DataError: the data was prepared in a format that has no random access, or its files are broken.
        """
        for part in slices:
            yield from self._many(part.split, self._records(part.split), range(part.start, part.stop))

    def examples(self, slices: Sequence[Slice]) -> StoredExamples:
        """Returns the same images by number; the prepared files are read by as many threads as ask.

        Raises:
            DataError: the data was prepared in a format that has no random access, or, later, its files are broken.
        """
        records = {split: self._records(split) for split in {part.split for part in slices}}
        return StoredExamples(
            slices,
            lambda split, index: next(self._many(split, records[split], [index])),
            lambda split, indices: self._many(split, records[split], indices),
        )

    def _many(self, split: str, records: Any, indices: Sequence[int]) -> Iterator[Stored]:
        """Yields examples, 256 KiB of them or so read at a time: each reading makes threads wait for each other."""
        info = self._builder.info.splits[split]
        mean_bytes = max(1, info.num_bytes // max(1, info.num_examples))
        together = max(1, min(_TOGETHER, _TOGETHER_BYTES // mean_bytes))
        for start in range(0, len(indices), together):
            some = indices[start : start + together]
            for index, record in zip(some, self._fetch(records, some), strict=True):
                name = f"{self.uri} {split}[{index}]"
                yield Stored(name=name, input=record[self._image], label=int(record[self._label]))

    def _records(self, split: str) -> Any:
        """Returns a split's records by number; opened once, because an index of them is held in memory."""
        if split not in self._opened:
            self._opened[split] = self._open_records(split)
        return self._opened[split]

    def _open_records(self, split: str) -> Any:
        decoders = {self._image: self._tfds.decode.SkipDecoding()}
        try:
            return self._builder.as_data_source(split=split, decoders=decoders)
        except NotImplementedError as exc:
            raise DataError(
                f"{self.uri} is prepared as {self._builder.info.file_format.value}, which has no random access.",
                hint="Prepare it again with file_format='array_record'.",
            ) from exc
        except ImportError as exc:
            raise DataError(f"Reading {self.uri} needs a package that is missing: {exc}.") from exc

    def _fetch(self, records: Any, indices: Sequence[int]) -> Sequence[Any]:
        try:
            found: Sequence[Any] = records.__getitems__(list(indices)) if len(indices) > 1 else [records[indices[0]]]
        except (OSError, ValueError, IndexError, RuntimeError) as exc:
            raise DataError(f"Cannot read {self.uri}: {exc}.") from exc
        return found


def _open(tfds: Any, folder: Path) -> Any:
    try:
        return tfds.builder_from_directory(str(folder))
    except Exception as exc:
        # The descriptions are files of many kinds, and what reading a damaged one raises has no common base.
        raise DataError(
            f"Cannot read the prepared data set in {folder}: {type(exc).__name__}: {exc}.",
            hint="Delete that folder and prepare the data set again.",
        ) from exc


def _keys(tfds: Any, features: Any, uri: str) -> tuple[str, str]:
    """Returns the names of the image and of the label among the features."""
    named = dict(features.items()) if hasattr(features, "items") else {}
    images = [key for key, value in named.items() if isinstance(value, tfds.features.Image)]
    labels = [key for key, value in named.items() if isinstance(value, tfds.features.ClassLabel)]
    image = "image" if "image" in images else images[0] if len(images) == 1 else None
    label = "label" if "label" in labels else labels[0] if len(labels) == 1 else None
    if image is None or label is None:
        raise DataError(f"{uri}: expected one image and one class label per example, found {', '.join(named)}.")
    if np.dtype(named[image].np_dtype) != np.uint8:
        raise DataError(f"{uri}: expected images of 8 bits per channel, found {named[image].np_dtype}.")
    return image, label


def open_tfds(rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> TfdsSource:  # noqa: ARG001
    """Returns the source ``tfds:<rest>``, prepared first if it is not and TensorFlow is there.

    Raises:
        InvalidInputError: not a catalogue name.
        NotFoundError: not in the catalogue.
        DataError: not prepared and it cannot be, or not an image classification data set.
    """
    match = _NAME.fullmatch(rest)
    if match is None:
        raise _no_name(rest)
    root = Path(data_dir or import_tfds().core.constants.DATA_DIR).expanduser()
    folder = _prepared(root, match)
    if folder is None:
        _check_known(match)
        prepare(rest, root)
        folder = _prepared(root, match)
    if folder is None:
        raise DataError(f"Prepared {rest}, but found nothing in {root}.")
    return TfdsSource(folder)


def _prepared(root: Path, match: re.Match[str]) -> Path | None:
    """Returns the folder of the wanted, else the newest, prepared version, or None."""
    configs = [match["config"]] if match["config"] else ["", *_default_config(match["name"])]
    for config in configs:
        folder = root / match["name"] / config
        versions = [
            path.parent for path in folder.glob("*/dataset_info.json") if re.fullmatch("[0-9.]+", path.parent.name)
        ]
        versions = [path for path in versions if match["version"] in {None, path.name}]
        if versions:
            return max(versions, key=lambda path: [int(part or 0) for part in path.name.split(".")])
    return None


def _default_config(name: str) -> list[str]:
    """Returns the first configuration of a data set that has some, as tfds does when none is named."""
    tfds = import_tfds()
    if name not in tfds.list_builders(with_community_datasets=False):
        return []
    return list(tfds.builder_cls(name).builder_configs)[:1]


def _check_known(match: re.Match[str]) -> None:
    tfds = import_tfds()
    known = tfds.list_builders(with_community_datasets=False)
    name, config = match["name"], match["config"]
    if name not in known:
        raise _unknown(match[0], name, get_close_matches(name, known, n=3, cutoff=0.6))
    configs = list(tfds.builder_cls(name).builder_configs)
    if config and config not in configs:
        near = get_close_matches(config, configs, n=3, cutoff=0.4) or configs[:3]
        raise _unknown(match[0], f"{name}/{config}", [f"{name}/{other}" for other in near] or [name])


def _no_name(given: str) -> InvalidInputError:
    """Returns the error for what cannot be a name, with the data sets that are spelled alike."""
    known = import_tfds().list_builders(with_community_datasets=False)
    letters = re.sub(r"[^a-z0-9]+", "", given.lower())
    same = [name for name in known if name.replace("_", "") == letters]
    near = (
        same or get_close_matches(letters, known, n=3, cutoff=0.75) or [n for n in known if n.startswith(letters)][:3]
    )
    hint = f"Did you mean {' or '.join(near)}?" if near else "Expected NAME, NAME/CONFIG or NAME/CONFIG:VERSION."
    return InvalidInputError(f"Not a catalogue name: {given!r}.", hint=hint)


def _unknown(given: str, what: str, near: Sequence[str]) -> NotFoundError:
    hint = f"Did you mean {' or '.join(near)}?" if near else "For files of your own: folder:PATH or npz:PATH."
    return NotFoundError(
        f"Unknown data set {what!r} in {given!r}: not in the TensorFlow Datasets catalogue.", hint=hint
    )
