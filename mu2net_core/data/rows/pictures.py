"""Images that rows name: a column holds their paths, and they lie beside the file of rows, in its folder or archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from unicodedata import normalize

from mu2net_core.data.formats import endings
from mu2net_core.data.images import decode, read_regular
from mu2net_core.data.rows.content import Content
from mu2net_core.data.rows.row import Cell, Row, is_missing
from mu2net_core.data.sources.tree import Tree
from mu2net_core.data.wording import counted, some
from mu2net_core.errors import DataError

__all__ = ["Beside", "PicturedFile", "Pictures", "Within", "columns_of_images"]

_Rows = Iterator[tuple[int, int, Row | DataError]]


class Pictures(Protocol):
    """Where the images are that rows name."""

    def find(self, name: str, /) -> str | None:
        """Returns what an image is read by that a cell names; None if there is none."""
        ...

    def read(self, key: str, /) -> bytes:
        """Returns the bytes of an image that was found.

        Raises:
            DataError: it cannot be read.
        """
        ...

    def path(self, key: str, /) -> Path | None:
        """Returns where it lies; None of one that stands in its row."""
        ...

    def note(self) -> str | None:
        """Returns what should be known of images that no row names, once all rows were read."""
        ...


class Beside:
    """The images below the folder of a file of rows, which is not searched: each is looked for when it is named.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._real_root = root, Path(os.path.realpath(root))
        self._inside = dict[str, bool]()

    def find(self, name: str) -> str | None:
        """Returns the path of an image; no link that leads out of the folder is followed."""
        path = self._root / _parted(name)
        folder = str(path.parent)
        try:
            if folder not in self._inside:
                self._inside[folder] = self._is_inside(path.parent)
            there = self._inside[folder] and path.is_file() and not (path.is_symlink() and not self._is_inside(path))
        except (OSError, ValueError):
            return None
        return str(path) if there else None

    def _is_inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self._real_root)

    def read(self, key: str) -> bytes:
        """Returns the bytes of an image that was found."""
        return read_regular(Path(key))

    def path(self, key: str) -> Path:
        """Returns where it lies."""
        return Path(key)

    def note(self) -> str | None:
        """Returns nothing: nobody looked for others."""
        return None


class Within:
    """The images of a folder, or an archive, in which a file of rows lies.

    Args:
        tree: all of it.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree, self._named = tree, set[str]()

    def find(self, name: str) -> str | None:
        """Returns the name of an image among those of the folder."""
        key = "/".join(part for part in normalize("NFC", _parted(name)).split("/") if part not in {"", "."})
        if key not in self._tree.files:
            return None
        self._named.add(key)
        return key

    def read(self, key: str) -> bytes:
        """Returns the bytes of an image that was found."""
        return self._tree.read(key)

    def path(self, key: str) -> Path:
        """Returns where it lies."""
        return self._tree.path(key)

    def note(self) -> str | None:
        """Returns how many images no row names."""
        left = sorted(self._tree.files.keys() - self._named)
        return f"left out {counted(len(left), 'image')} that no row names: {some(left)}" if left else None


def _parted(name: str) -> str:
    """Returns a path whose folders are parted by slashes."""
    return name.replace("\\", "/") if "/" not in name else name


class _File(Protocol):
    @property
    def content(self) -> Content: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def scan(self) -> _Rows: ...

    def parse(self, data: bytes, /) -> Iterator[Row | DataError]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturedFile:
    """A file of rows, of which one that names no image is none.

    Attributes:
        file: of the rows.
        place: of the column that names them; its cells become what they are read by.
        pictures: where they are.
        folder: that names begin in; ``""`` for all.
        check: whether an image that cannot be read is none.
        broken: those that were found so.
    """

    file: _File
    place: int
    pictures: Pictures
    folder: str = ""
    check: bool = False
    broken: set[str] = field(default_factory=set)

    @property
    def content(self) -> Content:
        """The bytes of the rows."""
        return self.file.content

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.file.columns

    def scan(self) -> _Rows:
        """Yields each row, or what is wrong with it, with the places where it begins and ends."""
        for start, stop, row in self.file.scan():
            found = self._found(row)
            if self.check and not isinstance(found, DataError) and self._is_broken(str(found[self.place])):
                self.broken.add(str(found[self.place]))
                found = self._found(row)
            yield start, stop, found

    def parse(self, data: bytes) -> Iterator[Row | DataError]:
        """Yields the rows that a part of the file holds."""
        return (self._found(row) for row in self.file.parse(data))

    def _found(self, row: Row | DataError) -> Row | DataError:
        if isinstance(row, DataError):
            return row
        cell = row[self.place]
        if not isinstance(cell, str) or is_missing(cell):
            return DataError("a row names no image")
        key = self.pictures.find(f"{self.folder}/{cell}" if self.folder else cell)
        if key is None:
            return DataError(f"there is no image {cell[:200]}")
        if key in self.broken:
            return DataError(f"{self.pictures.path(key) or 'an image'} cannot be read")
        return [*row[: self.place], key, *row[self.place + 1 :]]

    def _is_broken(self, key: str) -> bool:
        try:
            decode(self.pictures.read(key), key)
        except DataError:
            return True
        return False


def columns_of_images(columns: Sequence[str], rows: Sequence[Row]) -> tuple[int, ...]:
    """Returns the places of the columns all whose cells, as far as they are not empty, are called as images are."""
    return tuple(
        place
        for place in range(len(columns))
        if (cells := [row[place] for row in rows if not is_missing(row[place])]) and all(map(_names_image, cells))
    )


def _names_image(cell: Cell) -> bool:
    return isinstance(cell, str) and cell.lower().endswith(tuple(endings())) and "://" not in cell
