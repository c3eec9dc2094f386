"""What an archive says it holds, and what of that is believed: no name that leads out of it, no size it cannot have."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mu2net_core.data.rows.content import Shared
from mu2net_core.errors import DataError
from mu2net_core.objects import Limits

__all__ = ["Entry", "Opened", "believed", "broken", "refused"]

_DRIVE = re.compile(r"[A-Za-z]:")
_READ_AT_ONCE = 2**27
"""Of the directory of an archive, at most: that of a million files and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in an archive.

    Attributes:
        name: relative, joined by ``/``, as the archive has it.
        what: ``file``, ``folder``, or what else it is.
        start: where it lies: of a ZIP its own header, of a tar its bytes.
        packed: bytes that it takes there.
        size: bytes that it has.
        deflated: whether these are to be inflated.
        checksum: CRC-32 of its bytes; None where the archive has none.
    """

    name: str
    what: str
    start: int
    packed: int
    size: int
    deflated: bool = False
    checksum: int | None = None


class Opened(io.RawIOBase):
    """A file for Python's readers of archives, of which no more is read at once than an honest directory needs.

    Args:
        file: that is read.
        size: of it.
    """

    def __init__(self, file: Shared, size: int) -> None:
        super().__init__()
        self._file, self._size, self._at = file, size, 0

    def readable(self) -> bool:
        """Returns that it can be read."""
        return True

    def seekable(self) -> bool:
        """Returns that any place in it can be read."""
        return True

    def tell(self) -> int:
        """Returns where the next bytes come from."""
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Chooses where the next bytes come from, as every file does."""
        self._at = offset + (0, self._at, self._size)[whence]
        if self._at < 0:
            raise OSError("a place before its beginning")
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Returns the next bytes.

        Raises:
            OSError: they are more than any honest directory has.
        """
        rest = max(0, self._size - self._at)
        size = rest if size is None or size < 0 else min(size, rest)
        if size > _READ_AT_ONCE:
            raise OSError(f"a directory or header of {size} bytes")
        data = self._file.read(self._at, self._at + size)
        self._at += len(data)
        return data


def refused(path: Path, why: str, hint: str | None = None) -> DataError:
    """Returns the error for an archive that nobody makes in good faith, or that cannot be read as it is."""
    return DataError(f"Cannot read the archive {path}: {why}.", hint=hint)


def broken(path: Path, why: object) -> DataError:
    """Returns the error for one that is damaged."""
    said = str(why).partition("\n")[0].strip().rstrip(".") or type(why).__name__
    return refused(path, said, "It is damaged or not all there: get it again.")


def believed(path: Path, entries: Iterable[Entry], limits: Limits) -> Iterator[Entry]:
    """Yields the entries of an archive with plain names, checked.

    Raises:
        DataError: a name leads out of it, there are too many, or they would be too large together.
    """
    size = 0
    for number, entry in enumerate(entries, 1):
        if number > limits.names:
            raise refused(path, f"it holds more than {limits.names} files (limits.names)")
        size += entry.size
        if size > limits.examples_bytes:
            raise refused(
                path, f"it would take more than {limits.examples_bytes} bytes unpacked (limits.examples_bytes)"
            )
        parts = [part for part in entry.name.split("/") if part not in {"", "."}]
        if entry.name.startswith("/") or ".." in parts or (parts and _DRIVE.match(parts[0])):
            raise refused(
                path,
                f"a name in it leads elsewhere: {entry.name[:200]!r}",
                "Do not unpack it: it would write there. If you trust it, pack it anew with names below one folder.",
            )
        if parts:
            yield Entry(
                name="/".join(parts),
                what=entry.what,
                start=entry.start,
                packed=entry.packed,
                size=entry.size,
                deflated=entry.deflated,
                checksum=entry.checksum,
            )
