"""``folder:PATH``: image files in class folders, ``PATH/<class>/<image>``.

With ``depth`` 2 a class is two folders deep, ``PATH/<alphabet>/<character>/<image>``, and so on. If the first level is
``train`` with any of ``validation`` and ``test``, these are the splits; else there is one split ``all``. Every split
comes in a fixed pseudo-random order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mu2net_core.data.images import decode_image
from mu2net_core.data.order import fair_order
from mu2net_core.data.source import Options, SourceInfo, Stored, StoredExamples
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.objects import Slice

__all__ = ["IMAGE_SUFFIXES", "FolderSource", "open_folder"]

IMAGE_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_SPLIT_FOLDERS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
                  "test": "test"}  # fmt: skip
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class _Listing:
    classes: tuple[str, ...]
    files: dict[str, list[str]]
    skipped: tuple[str, ...]


class FolderSource:
    """The image files below a folder.

    Args:
        path: absolute.
        depth: how many folders deep a class is.
        skip_bad: leave broken images out; each image is decoded to find them.
    """

    def __init__(self, path: Path, *, depth: int = 1, skip_bad: bool = False) -> None:
        if not 1 <= depth <= _MAX_DEPTH:
            raise InvalidInputError(f"depth: expected 1 to {_MAX_DEPTH}, got {depth}.")
        if not path.is_dir():
            raise NotFoundError(f"No such folder: {path}.")
        self.path = path
        self.uri = f"folder:{path}"
        self.depth = depth
        self.skip_bad = skip_bad

    def info(self) -> SourceInfo:
        """Returns splits, classes named by their folders, and the broken images left out.

        Raises:
            DataError: no images, or images at another depth.
        """
        listing = self._listing
        options: dict[str, int | str | bool] = {}
        if self.depth != 1:
            options["depth"] = self.depth
        if self.skip_bad:
            options["skip_bad"] = True
        return SourceInfo(
            splits={split: len(files) for split, files in listing.files.items()},
            classes=listing.classes,
            options=options,
            skipped=listing.skipped,
        )

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields encoded images."""
        return iter(self.examples(slices))

    def examples(self, slices: Sequence[Slice]) -> StoredExamples:
        """Returns the same images by number."""
        files = self._listing.files
        labels = {name: label for label, name in enumerate(self._listing.classes)}

        def fetch(split: str, index: int) -> Stored:
            file = files[split][index]
            return Stored(name=str(self.path / file), image=self._bytes(file), label=labels[self._place(file)[1]])

        return StoredExamples(slices, fetch)

    @cached_property
    def _listing(self) -> _Listing:
        found = sorted(_walk(self.path, "", 0))
        if not found:
            raise DataError(f"No images in {self.path}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}.")
        self._split_folders = _split_folders(found)
        self._check_depth(found)
        bad = {file for file in found if not self._is_good(file)} if self.skip_bad else set()
        files: dict[str, list[str]] = {}
        for file in fair_order(file for file in found if file not in bad):
            files.setdefault(self._place(file)[0], []).append(file)
        classes = tuple(sorted({self._place(file)[1] for file in found if file not in bad}))
        return _Listing(classes=classes, files=files, skipped=tuple(str(self.path / file) for file in sorted(bad)))

    def _place(self, file: str) -> tuple[str, str]:
        """Returns the (split, class) of a file by its relative path."""
        folders = file.split("/")[:-1]
        if self._split_folders:
            return _SPLIT_FOLDERS[folders[0]], "/".join(folders[1:])
        return "all", "/".join(folders)

    def _check_depth(self, found: Sequence[str]) -> None:
        above = 1 if self._split_folders else 0
        for file in found:
            depth = file.count("/") - above
            if depth != self.depth:
                raise DataError(
                    f"Expected images {self.depth} folder(s) deep in {self.path}; found {file}, {depth} deep.",
                    hint=f"If that folder is its class: --depth {depth}" if depth > 0 else None,
                )

    def _is_good(self, file: str) -> bool:
        try:
            decode_image(self._bytes(file), file)
        except DataError:
            return False
        return True

    def _bytes(self, file: str) -> bytes:
        try:
            return (self.path / file).read_bytes()
        except OSError as exc:
            raise DataError(f"Cannot read the image {self.path / file}: {exc.strerror}.") from exc


def _walk(root: Path, folder: str, depth: int) -> Iterator[str]:
    """Yields the image files below ``folder`` as paths relative to ``root``, joined by ``/``; hidden ones are left."""
    try:
        entries = list(os.scandir(root / folder))
    except OSError as exc:
        raise DataError(f"Cannot read the folder {root / folder}: {exc.strerror}.") from exc
    for entry in entries:
        name = f"{folder}/{entry.name}" if folder else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if depth <= _MAX_DEPTH:
                yield from _walk(root, name, depth + 1)
        elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
            if not _is_text(name):
                raise DataError(f"The name {name!r} in {root} is not UTF-8.", hint="Rename it.")
            yield name


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _split_folders(found: Sequence[str]) -> bool:
    """Returns whether the first level of folders names splits, ``train`` and at least one more."""
    top = {file.partition("/")[0] for file in found}
    splits = [_SPLIT_FOLDERS.get(name) for name in top]
    return "train" in splits and None not in splits and len(set(splits)) == len(splits) > 1


def open_folder(rest: str, *, options: Options, data_dir: str | None) -> FolderSource:  # noqa: ARG001
    """Returns the source ``folder:<rest>``; options ``depth`` and ``skip_bad``.

    Raises:
        NotFoundError: there is no such folder.
    """
    return FolderSource(Path(rest), depth=int(options.get("depth", 1)), skip_bad=bool(options.get("skip_bad", False)))
