"""Images whose bytes stand in rows, or beside them in one file: each is read where it lies, or in a copy of all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

import numpy as np

from mu2net_core.data.images import MAX_FILE_BYTES
from mu2net_core.data.rows.content import Scratch, Shared, finding_room
from mu2net_core.data.rows.pictures import Beside
from mu2net_core.errors import DataError

__all__ = ["Embedded", "Place"]

_KEY = re.compile(r"embedded:(\d{1,6})/(\d{1,18})\+(\d{1,18}):(.*)", re.DOTALL)
_WIDTHS = {"binary": "<i4", "large_binary": "<i8"}
"""Of the places where the bytes of each image begin."""


class _Reader(Protocol):
    def read(self, start: int, stop: int, /) -> bytes:
        """Returns a part of a file."""
        ...


class Embedded:
    """The images that rows hold; those that they only name are looked for below a folder.

    Args:
        root: the folder.
        scratch: where those are copied to that are not read as they lie.
    """

    def __init__(self, root: Path, scratch: Scratch) -> None:
        self._root, self._beside, self._scratch = root, Beside(root), scratch
        self._readers: list[tuple[_Reader, Path]] = []
        self._copy: _Copy | None = None

    def place(self, path: Path, whole: Any = None, *, is_copied: bool) -> Place:
        """Returns where the images of a file are.

        Args:
            path: of the file.
            whole: Arrow's buffer of all of it, if it is mapped into memory.
            is_copied: whether they are copied, as they do not lie in the file as they are.
        """
        if is_copied and self._copy is None:
            self._copy = _Copy(self._root, self._scratch)
        copy = self._copy if is_copied else None
        self._readers.append((copy.file if copy else _Again(path), path))
        return Place(path, len(self._readers) - 1, whole, copy)

    def find(self, name: str) -> str | None:
        """Returns the key of an image, or the path of one that lies below the folder."""
        found = _KEY.fullmatch(name)
        if found is not None:
            return name if int(found[1]) < len(self._readers) else None
        return self._beside.find(name)

    def read(self, key: str) -> bytes:
        """Returns the bytes of an image that was found.

        Raises:
            DataError: they are more than of any image that is read, or not there any more.
        """
        found = _KEY.fullmatch(key)
        if found is None:
            return self._beside.read(key)
        (reader, path), start, size = self._readers[int(found[1])], int(found[2]), int(found[3])
        if size > MAX_FILE_BYTES:
            raise DataError(f"An image in {path} has {size} bytes; at most {MAX_FILE_BYTES >> 20} MiB are read.")
        try:
            data = reader.read(start, start + size)
        except OSError as exc:
            raise DataError(f"Cannot read {path}: {exc.strerror or exc}.") from exc
        if len(data) != size:
            raise DataError(f"{path} changed while it was read.")
        return data

    def path(self, key: str) -> Path | None:
        """Returns where an image lies; None of one in the rows that has no name."""
        found = _KEY.fullmatch(key)
        if found is None:
            return Path(key)
        return self._readers[int(found[1])][1] / found[4] if found[4] else None

    def note(self) -> str | None:
        """Returns nothing: no image is left."""
        return None


class Place:
    """Where the images of one file are: in it, or in the copy of all that were not."""

    def __init__(self, path: Path, number: int, whole: Any, copy: _Copy | None) -> None:
        self._path, self._number, self._whole, self._copy = path, number, whole, copy

    def key(self, start: int, size: int, name: str, read: Callable[[], bytes]) -> str:
        """Returns what names the image of so many bytes that lies so, or its copy.

        Raises:
            DataError: it cannot be read, or copied within limits.
        """
        return self._key(start if self._copy is None else self._copy.add(memoryview(read())), size, name)

    def keys(self, column: Any) -> list[str | None]:
        """Returns what each image of a column is named by: a key of its bytes, its path, or nothing.

        Args:
            column: an Arrow array, of bytes or of structs of ``bytes`` and ``path``.

        Raises:
            DataError: the bytes cannot be reached, or copied within limits.
        """
        names = [one.name for one in column.type] if column.type.num_fields else []
        fields = dict(zip(names, column.flatten(), strict=True)) if names else {"bytes": column}
        held = fields["bytes"]
        paths = fields["path"].to_pylist() if "path" in fields else [None] * len(held)
        _, offsets, data = held.buffers()
        edges = np.frombuffer(offsets, _WIDTHS[str(held.type)])[held.offset :][: len(held) + 1].astype(np.int64)
        base = self._base(data, int(edges[0]), int(edges[-1])) if data is not None and len(held) else 0
        there = held.is_valid().to_pylist()
        return [
            self._key(base + start, stop - start) if is_there and start < stop else path or None
            for start, stop, is_there, path in zip(edges[:-1].tolist(), edges[1:].tolist(), there, paths, strict=True)
        ]

    def _key(self, start: int, size: int, name: str = "") -> str:
        return f"embedded:{self._number}/{start}+{size}:{name}"

    def _base(self, data: Any, first: int, last: int) -> int:
        """Returns where the beginning of a buffer lies, of which a part is read."""
        if self._copy is not None:
            return self._copy.add(memoryview(data)[first:last]) - first
        start = int(data.address) - int(self._whole.address)
        if not 0 <= start <= start + data.size <= self._whole.size:
            raise DataError(
                f"The columns of {self._path} are packed, which `datasets` does not do.",
                hint="Save it anew: dataset.save_to_disk(PATH), or as Parquet: dataset.to_parquet(FILE)",
            )
        return start


class _Again:
    """A file that is opened whenever a part of it is read: there may be more of them than may be open at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, start: int, stop: int) -> bytes:
        """Returns a part, less at the file's end."""
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


class _Copy:
    """Images one after the other, in a temporary file without a name."""

    def __init__(self, root: Path, scratch: Scratch) -> None:
        self._root, self._scratch, self._size = root, scratch, 0
        with TemporaryFile() as file:
            self.file = Shared(file, str(root))

    def add(self, data: memoryview) -> int:
        """Writes bytes, and returns where they begin.

        Raises:
            DataError: they are more than a limit allows.
        """
        start, self._size = self._size, self._size + len(data)
        self._scratch.take(len(data), self._root)
        with finding_room(self._root):
            self.file.write(start, data)
        return start
