"""What is in a tar archive, by the headers between its files."""

from __future__ import annotations

import bz2
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from isal import igzip, isal_zlib

from mu2net_core.data.archives.entries import Entry, Opened, broken
from mu2net_core.data.rows.content import Shared, written

__all__ = ["DECOMPRESSED", "decompressed", "tar_entries"]

_BLOCK, _CHUNK = 512, 2**20
_BROKEN = (OSError, EOFError, ValueError, OverflowError, RecursionError, struct.error, tarfile.TarError)

DECOMPRESSED: Mapping[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: igzip.open(file, "rb"),  # type: ignore[no-untyped-call]
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""What opens compressed files, by how they begin."""


def decompressed(path: Path, file: IO[bytes], head: bytes) -> tuple[Shared, int]:
    """Returns the bytes that are packed in a compressed file, and how many there are.

    Raises:
        DataError: it is damaged, or they are more than a limit allows.
    """
    opener = next(opener for beginning, opener in DECOMPRESSED.items() if head.startswith(beginning))
    try:
        with opener(file) as packed:
            content = written(iter(lambda: packed.read(_CHUNK), b""), path)
    except (isal_zlib.error, zlib.error, lzma.LZMAError, OSError, EOFError) as exc:  # type: ignore[misc]
        raise broken(path, exc) from exc
    return content.file, content.size


def tar_entries(path: Path, file: Shared, size: int) -> Iterator[Entry]:
    """Yields what lies in a tar archive, in order.

    Raises:
        DataError: it is damaged, or not all there.
    """
    try:
        with tarfile.open(fileobj=Opened(file, size), mode="r:", errors="surrogateescape") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined] # which would keep all of them
                yield Entry(
                    name=member.name,
                    what=_what(member),
                    start=member.offset_data,
                    packed=member.size,
                    size=max(0, member.size) if member.isreg() else 0,
                )
            end = archive.offset
    except _BROKEN as exc:
        raise broken(path, f"as a tar it has an {exc}" if str(exc) == "invalid header" else exc) from exc
    if file.read(end, end + _BLOCK) != bytes(_BLOCK):  # where Python's reader just stops
        raise broken(path, f"what follows its first {end} bytes is neither a file nor its end")


def _what(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "folder"
    if member.issym() or member.islnk():
        return "link"
    return "file" if member.isreg() and not member.issparse() else "special"
