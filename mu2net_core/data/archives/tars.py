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
from mu2net_core.data.rows.content import Scratch, Shared

__all__ = ["DECOMPRESSED", "decompressed", "tar_entries"]

_BLOCK, _CHUNK = 512, 2**20
_BROKEN = (OSError, EOFError, ValueError, OverflowError, RecursionError, struct.error, tarfile.TarError)

_XZ_MEMORY = 2**28
"""Bytes of memory that unpacking xz may take: four times what its strongest preset does."""


def _opened_by(opener: Callable[[IO[bytes]], Any]) -> Callable[[IO[bytes]], Iterator[bytes]]:
    """Returns what yields the bytes that are packed in a file, for what opens it."""

    def chunks(file: IO[bytes]) -> Iterator[bytes]:
        with opener(file) as packed:
            yield from iter(lambda: packed.read(_CHUNK), b"")

    return chunks


def _of_xz(file: IO[bytes]) -> Iterator[bytes]:
    """Yields the bytes that are packed in an xz file, in bounded memory, whatever it asks for."""
    packed = file.read(_CHUNK)
    while packed:  # one stream after the other
        inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        while not inner.eof:
            yield inner.decompress(packed, _CHUNK)
            packed = file.read(_CHUNK) if inner.needs_input else b""
            if inner.needs_input and not packed:
                raise EOFError("Compressed file ended before its end was reached")
        packed = inner.unused_data.lstrip(b"\x00")
        while not packed and (more := file.read(_CHUNK)):  # zeros may stand between streams
            packed = more.lstrip(b"\x00")


DECOMPRESSED: Mapping[bytes, Callable[[IO[bytes]], Iterator[bytes]]] = {
    b"\x1f\x8b": _opened_by(lambda file: igzip.open(file, "rb")),  # type: ignore[no-untyped-call]
    b"BZh": _opened_by(bz2.open),
    b"\xfd7zXZ\x00": _of_xz,
}
"""What yields the bytes of compressed files, by how they begin."""


def decompressed(path: Path, file: IO[bytes], head: bytes, scratch: Scratch) -> tuple[Shared, int]:
    """Returns the bytes that are packed in a compressed file, and how many there are.

    Raises:
        DataError: it is damaged, or they are more than a limit allows.
    """
    unpacked = next(unpacked for beginning, unpacked in DECOMPRESSED.items() if head.startswith(beginning))
    try:
        content = scratch.written(unpacked(file), path)
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
