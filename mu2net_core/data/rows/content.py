"""The bytes of a text file, such that any part of them can be read alone: unpacked, and with ASCII line ends.

Most files are read where they lie. What is packed (gzip), of UTF-16 or UTF-32, or ends its lines as old Macs did, is
written out first, to a temporary file without a name.
"""

from __future__ import annotations

import codecs
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from threading import Lock
from typing import IO

from isal import igzip, isal_zlib

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Limits

__all__ = ["ROW_BYTES", "Content", "Scratch", "Shared", "finding_room", "open_content"]

ROW_BYTES = 2**24
"""Of one row at most, as it stands in its file."""

_CHUNK = 2**20
_GZIP = b"\x1f\x8b"
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8"),
)
_WIDE = re.compile(r"utf.?(16|32)", re.IGNORECASE)
_OLD = "cp1252"
_READABLE = {None, "JSON text", "nothing but zeros"}


class Shared:
    """An open file that is read at any place, by several threads; it is closed with its last user.

    Args:
        file: that is read; the caller closes it.
        name: of what it holds, for messages.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        self._lock, self._number = Lock(), os.dup(file.fileno())

    def read(self, start: int, stop: int) -> bytes:
        """Returns a part, less at the file's end."""
        parts, left = list[bytes](), stop - start
        with self._lock:
            os.lseek(self._number, start, os.SEEK_SET)
            while left > 0 and (part := os.read(self._number, left)):
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    def write(self, start: int, data: memoryview) -> None:
        """Writes a part of a temporary file."""
        with self._lock:
            os.lseek(self._number, start, os.SEEK_SET)
            while data:
                data = data[os.write(self._number, data) :]

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # at its end a process has no modules any more
        close(self._number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of a file.

    Attributes:
        file: that they are in.
        start: of what counts: behind a byte order mark.
        size: where it ends.
        encoding: of its lines.
        notes: what should be known of how it is read.
    """

    file: Shared
    start: int
    size: int
    encoding: str
    notes: tuple[str, ...] = ()

    def read(self, start: int, stop: int) -> bytes:
        """Returns a part; several threads may call it at once."""
        return self.file.read(start, stop)

    def lines(self) -> Iterator[bytes]:
        """Yields all lines with their ends.

        Raises:
            DataError: one is longer than a row may be.
        """
        rest = b""
        for chunk in _chunks(self):
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            yield from (line + b"\n" for line in lines)
            if len(rest) > ROW_BYTES:
                raise DataError(f"A line is longer than {ROW_BYTES} bytes, and no row may be.")
        if rest:
            yield rest


def open_content(path: Path, scratch: Scratch, encoding: str | None = None) -> Content:
    """Returns the bytes of a text file.

    Args:
        path: of the file.
        scratch: where it is written to if it cannot be read as it lies.
        encoding: of its text; None lets its bytes say: UTF-8, UTF-16 or UTF-32 with a mark, else Windows-1252.

    Raises:
        DataError: it cannot be read, is no text, or of several encodings.
        InvalidInputError: nobody knows the encoding.
    """
    _check_known(encoding)
    try:
        content = _unpacked(path, scratch)
        head = content.read(0, HEAD_BYTES)
        mark, marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", None))
        content = replace(content, start=len(mark), encoding=encoding or marked or "utf-8")
        if _WIDE.match(content.encoding):
            content = _narrow(replace(content, start=0 if marked else content.start), path, scratch)
        else:
            _check_text(head, path)
        content = content if encoding else _of_what_encoding(content, path)
        return _with_line_ends(content, scratch)
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror or exc}.") from exc


def _check_known(encoding: str | None) -> None:
    try:
        bytes(4).decode(encoding or "utf-8")  # of no bytes at all Python would not look at the name
    except (LookupError, ValueError) as exc:
        raise InvalidInputError(
            f"Unknown encoding {encoding!r}.", hint="Examples: utf-8, cp1252, latin-1, utf-16, gb18030, shift_jis."
        ) from exc


def _check_text(head: bytes, path: Path) -> None:
    what = what_is_it(head)
    if what not in _READABLE:
        raise DataError(f"Expected rows of text in {path}, found {what}.", hint=what_helps(head) or _helps(what, path))
    if b"\x00" in head:
        raise DataError(
            f"Expected text in {path}, found bytes of zero.",
            hint="If it is UTF-16 without a byte order mark: --encoding utf-16-le, or utf-16-be",
        )


def _helps(what: str | None, path: Path) -> str | None:
    """Returns how to have the rows of what is no text, if it may hold some."""
    return {
        "a Parquet file": f"If you mean its rows: parquet:{path}",
        "a ZIP archive": "If it is a spreadsheet, save it as CSV; if an archive, unpack it and name the file in it.",
        "a tar archive": "Unpack it, and name the file in it.",
        "a gzip file": "It is packed twice: gunzip it once.",
    }.get(what or "")


def _chunks(content: Content) -> Iterator[bytes]:
    for start in range(content.start, content.size, _CHUNK):
        yield content.read(start, min(start + _CHUNK, content.size))


def _unpacked(path: Path, scratch: Scratch) -> Content:
    """Returns the bytes of a file, those that are packed in it if it is a gzip file."""
    with path.open("rb") as opened:
        file = Shared(opened, str(path))
    if file.read(0, 2) != _GZIP:
        return Content(file=file, start=0, size=path.stat().st_size, encoding="")
    try:
        with igzip.open(path, "rb") as packed:  # type: ignore[no-untyped-call]
            return scratch.written(iter(lambda: packed.read(_CHUNK), b""), path)
    except (isal_zlib.error, zlib.error, EOFError) as exc:  # type: ignore[misc]
        raise DataError(f"Cannot unpack {path}: {exc}.", hint="It is damaged or not all there: get it again.") from exc


class Scratch:
    """Temporary files without a name, which together have no more bytes than a limit allows.

    Args:
        limits: of this machine; ``examples_bytes`` is that of the files.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._size = 0

    def take(self, num_bytes: int, path: Path) -> None:
        """Counts bytes in that are about to be written.

        Raises:
            DataError: they are more than the limit allows.
        """
        self._size += num_bytes
        if self._size > self.limits.examples_bytes:
            raise DataError(
                f"{path} would take more than {self.limits.examples_bytes} bytes unpacked (limits.examples_bytes).",
                hint="If it is as large as that in truth: mu2net config set limits.examples_bytes NUMBER",
            )

    def written(self, chunks: Iterator[bytes], path: Path) -> Content:
        """Returns bytes as those of a temporary file.

        Args:
            chunks: of UTF-8, if they are text.
            path: of the file that they come from.

        Raises:
            DataError: they are more than the limit allows, or than there is room for.
        """
        size = 0
        with TemporaryFile() as file:
            for chunk in chunks:
                self.take(len(chunk), path)
                size += len(chunk)
                with finding_room(path):
                    file.write(chunk)
            with finding_room(path):
                file.flush()
            return Content(file=Shared(file, str(path)), start=0, size=size, encoding="utf-8")


@contextmanager
def finding_room(path: Path) -> Iterator[None]:
    """Raises a clear error where there is no room to unpack a file.

    Raises:
        DataError: there is none.
    """
    try:
        yield
    except OSError as exc:
        raise DataError(
            f"No room to unpack {path} in {gettempdir()}: {exc.strerror or exc}.",
            hint="Name a folder that has room in the variable TMPDIR.",
        ) from exc


def _narrow(content: Content, path: Path, scratch: Scratch) -> Content:
    """Returns text of UTF-16 or UTF-32 as UTF-8."""

    def chunks() -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(content.encoding)()
        for chunk in _chunks(content):
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()

    try:
        narrow = scratch.written(chunks(), path)
    except UnicodeError as exc:
        raise DataError(f"{path} is not all {content.encoding}: {exc}.", hint="Name another: --encoding") from exc
    start = 3 if narrow.read(0, 3) == codecs.BOM_UTF8 else 0
    return replace(narrow, start=start, encoding="utf-8", notes=(f"it is {content.encoding}",))


def _of_what_encoding(content: Content, path: Path) -> Content:
    """Returns content with the encoding that all its bytes fit: UTF-8, or Windows-1252 where they are none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _chunks(content):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _of_old(content, path)
    return content


def _of_old(content: Content, path: Path) -> Content:
    """Returns content as Windows-1252.

    Raises:
        DataError: some lines are UTF-8, or hold what is no letter there.
    """
    first: dict[str, int] = {}
    for number, line in enumerate(content.lines(), 1):
        if line.isascii():
            continue
        if (kind := _kind_of(line)) not in first:
            first[kind] = number
    if "" in first or len(first) > 1:
        found = f"line {first['utf-8']} is UTF-8, and line {first.get(_OLD, first.get(''))} is not"
        found = found if "utf-8" in first else f"line {first['']} is neither UTF-8 nor Windows-1252"
        raise DataError(
            f"{path} is of no one encoding: {found}.",
            hint="Bring all lines to UTF-8, or name the encoding of all: --encoding latin-1 (reads any bytes)",
        )
    note = "it is not UTF-8: read as Windows-1252 (for another: --encoding NAME)"
    return replace(content, encoding=_OLD, notes=(*content.notes, note))


def _kind_of(line: bytes) -> str:
    """Returns the encoding of a line; of those that would do UTF-8; empty if neither does."""
    for encoding in ("utf-8", _OLD):
        try:
            line.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return ""


def _with_line_ends(content: Content, scratch: Scratch) -> Content:
    """Returns content whose lines end in newlines: old Macs had carriage returns."""
    head = content.read(content.start, content.start + _CHUNK)
    if b"\n" in head or b"\r" not in head:
        return content
    ended = scratch.written((chunk.replace(b"\r", b"\n") for chunk in _chunks(content)), Path(content.file.name))
    return replace(ended, encoding=content.encoding, notes=content.notes)
