"""Pictures as people name them: image files, folders of image files, and the bytes of a picture."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mu2net_core.data import Picture as Decoded
from mu2net_core.data import ValueRange, decode_whole, endings, read_picture
from mu2net_core.errors import DataError, Mu2netError

__all__ = ["STDIN", "Picture", "Unreadable", "find_pictures"]

_DEEPEST = 64
"""So many folders below one that is named are looked into."""
STDIN = "-"
"""What a picture is called that came as bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture to be read.

    Attributes:
        name: what its user calls it.
        path: of the file; of encoded bytes the path ``-``.
        data: the encoded bytes, if they are here already.
    """

    name: str
    path: Path
    data: bytes | None = None

    def read(self, values: ValueRange | None) -> Decoded:
        """Returns the pixels, and what was decided on the way to them.

        Args:
            values: what is read of a picture of more than 8 bits; None for the rule.

        Raises:
            NotFoundError: there is no such file.
            DataError: it is not a whole image.
        """
        if self.data is not None:
            return decode_whole(self.data, self.name, values)
        try:
            return read_picture(self.path, values)
        except OSError as exc:  # a name that no file can have, or a folder above that may not be looked into
            raise DataError(f"Cannot read the image {self.path}: {exc.strerror}.") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An example of which nothing can be said, and why: the error that it met; ``what`` it is, in a word."""

    name: str
    path: Path
    error: Mu2netError
    what: str = "image"


def find_pictures(
    images: Path | str | bytes | Iterable[Path | str | bytes], *, folder: Path, warn: Callable[[str], None]
) -> Iterator[Picture | Unreadable]:
    """Yields the pictures that are named, one after the other; nothing is read yet.

    Args:
        images: one or many: files; folders, which stand for all image files below them, sorted by name, hidden ones
            left out; and encoded pictures as bytes.
        folder: that relative paths start from.
        warn: told what of a folder was left out.
    """
    for image in [images] if isinstance(images, (Path, str, bytes)) else images:
        if isinstance(image, bytes):
            yield Picture(name=STDIN, path=Path(STDIN), data=image)
            continue
        path = Path(os.path.normpath(folder / image))
        if os.path.isdir(path):  # noqa: PTH112  unlike Path.is_dir, False for whatever cannot be looked at
            yield from _in_folder(str(image), path, warn)
        else:
            yield Picture(name=str(image), path=path)


def _in_folder(name: str, folder: Path, warn: Callable[[str], None]) -> Iterator[Picture | Unreadable]:
    found, others = 0, Counter[str]()
    for place in _files(folder, "", set()):
        if isinstance(place, DataError):
            yield Unreadable(name=name, path=folder, error=place)
        elif Path(place).suffix.lower() in endings():
            found += 1
            yield Picture(name=os.path.join(name, place), path=folder / place)  # noqa: PTH118  as it was typed
        else:
            others[Path(place).suffix.lower() or Path(place).name] += 1
    if others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
        warn(f"left out of {name} what is no image by its name: {kinds}")
    if not found:
        looked_for = ", ".join(sorted(endings()))
        yield Unreadable(
            name=name, path=folder, error=DataError(f"No images in the folder {name}; looked for {looked_for}.")
        )


def _files(root: Path, place: str, known: set[tuple[int, int]]) -> Iterator[str | DataError]:
    """Yields the files below ``root / place`` as paths relative to ``root``, sorted; hidden ones are left out.

    Links are followed, but into each folder once, in whatever circles they lead: ``known`` are those it came to.
    """
    here = root / place
    try:
        own = (here.stat().st_dev, here.stat().st_ino)
        entries = sorted(os.scandir(here), key=lambda entry: entry.name)
    except OSError as exc:
        yield DataError(f"Cannot read the folder {here}: {exc.strerror}.")
        return
    if place.count("/") >= _DEEPEST:
        yield DataError(f"Cannot read the folder {here}: it lies more than {_DEEPEST} folders deep.")
        return
    if own in known:
        return
    known.add(own)
    for entry in entries:
        name = f"{place}/{entry.name}" if place else entry.name
        if entry.name.startswith("."):
            continue
        if not os.path.isdir(entry):  # noqa: PTH112  see above
            yield name
        else:
            yield from _files(root, name, known)
