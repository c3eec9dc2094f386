"""Images whose bytes stand in the rows: each is read where it lies, in the file or in a copy of its column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol, Self

import numpy as np

from mu2net_core.data.images import MAX_FILE_BYTES
from mu2net_core.data.rows.content import Shared
from mu2net_core.data.rows.pictures import Beside
from mu2net_core.errors import DataError
from mu2net_core.objects import LIMITS

__all__ = ["Copied", "Embedded", "InPlace", "Place"]

_KEY = re.compile(r"embedded:(\d{1,6})/(\d{1,18})\+(\d{1,18})")
_WIDTHS = {"binary": "<i4", "large_binary": "<i8"}
"""Of the places where the bytes of each image begin."""


class Place(Protocol):
    """Where the bytes of images are put, or are."""

    def put(self, data: Any, starts: np.ndarray, stops: np.ndarray, /) -> int:
        """Returns where in a file the bytes lie of which a part begins and ends so, as the place of the first."""
        ...

    def file(self) -> Shared:
        """Returns that file, once all is in it."""
        ...


class Embedded:
    """The images that rows hold; those that they only name are looked for below a folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._files: list[Shared] = []
        self._beside = Beside(root)

    def keys(self, column: Any, place: Place) -> Iterator[str | None]:
        """Yields what each image of a column is named by: a key of its bytes, its path, or nothing.

        Args:
            column: an Arrow array, of bytes or of structs of ``bytes`` and ``path``.
            place: where the bytes are; ``add`` its file next.

        Raises:
            DataError: the bytes cannot be reached.
        """
        fields = dict(zip([one.name for one in column.type], column.flatten(), strict=True)) if column.type.num_fields \
            else {"bytes": column}  # fmt: skip
        held = fields["bytes"]
        paths = fields["path"].to_pylist() if "path" in fields else [None] * len(held)
        _, offsets, data = held.buffers()
        edges = np.frombuffer(offsets, _WIDTHS[str(held.type)])[held.offset :][: len(held) + 1].astype(np.int64)
        base = place.put(data, edges[:-1], edges[1:]) if data is not None and len(held) else 0
        missing = held.is_null().to_pylist()
        for start, stop, is_missing, path in zip(edges[:-1].tolist(), edges[1:].tolist(), missing, paths, strict=True):
            key = f"embedded:{len(self._files)}/{base + start}+{stop - start}"
            yield (path or None) if is_missing or start == stop else key

    def add(self, place: Place) -> None:
        """Takes in where the bytes of the keys are that were given out since the last."""
        self._files.append(place.file())

    def find(self, name: str) -> str | None:
        """Returns the key of an image, or the path of one that lies below the folder."""
        found = _KEY.fullmatch(name)
        if found is not None:
            return name if int(found[1]) < len(self._files) else None
        return self._beside.find(name)

    def read(self, key: str) -> bytes:
        """Returns the bytes of an image that was found.

        Raises:
            DataError: they are more than of any image that is read.
        """
        found = _KEY.fullmatch(key)
        if found is None:
            return self._beside.read(key)
        file, start, size = self._files[int(found[1])], int(found[2]), int(found[3])
        if size > MAX_FILE_BYTES:
            raise DataError(f"An image in {file.name} has {size} bytes; at most {MAX_FILE_BYTES >> 20} MiB are read.")
        return file.read(start, start + size)

    def path(self, key: str) -> Path | None:
        """Returns where an image lies that has a file of its own; None of those in the rows."""
        return None if _KEY.fullmatch(key) else Path(key)

    def note(self) -> str | None:
        """Returns nothing: no image is left."""
        return None


class InPlace:
    """Bytes of a file that is mapped into memory, and which lie where they are.

    Args:
        path: of the file.
        whole: Arrow's buffer of all of it.
    """

    def __init__(self, path: Path, whole: Any) -> None:
        self._path, self._whole = path, whole

    def put(self, data: Any, _starts: np.ndarray, _stops: np.ndarray) -> int:
        """Returns where in the file ``data`` begins.

        Raises:
            DataError: it is not in it, but was packed.
        """
        start = int(data.address) - int(self._whole.address)
        if not 0 <= start <= start + data.size <= self._whole.size:
            raise DataError(
                f"The columns of {self._path} are packed, which `datasets` does not do.",
                hint="Save it anew: dataset.save_to_disk(PATH), or as Parquet: dataset.to_parquet(FILE)",
            )
        return start

    def file(self) -> Shared:
        """Returns the file."""
        with self._path.open("rb") as opened:
            return Shared(opened, str(self._path))


class Copied:
    """Bytes that are written one after the other to a temporary file without a name, until it is closed.

    Args:
        path: of the file that they come from.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._size, self._file = path, 0, TemporaryFile()  # noqa: SIM115 - closed as this is

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, data: Any, starts: np.ndarray, stops: np.ndarray) -> int:
        """Returns where they were written to, less the place of the first: where ``data`` would begin.

        Raises:
            DataError: they are more than a limit allows.
        """
        first, last = int(starts[0]), int(stops[-1])
        before, self._size = self._size, self._size + last - first
        if self._size > LIMITS.examples_bytes:
            raise DataError(f"The images in {self._path} take more than {LIMITS.examples_bytes} bytes.")
        self._file.write(memoryview(data)[first:last])
        return before - first

    def file(self) -> Shared:
        """Returns the file."""
        self._file.flush()
        return Shared(self._file, str(self._path))
