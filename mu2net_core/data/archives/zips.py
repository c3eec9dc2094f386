"""What is in a ZIP archive, by its directory."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mu2net_core.data.archives.entries import Entry, Opened, broken, refused
from mu2net_core.data.rows.content import Shared

__all__ = ["inflated", "zip_entries"]

_HEADER = struct.Struct("<4s22xHH")
_SIGNATURE = b"PK\x03\x04"
_DEFLATED_MOST = 1032
"""How many bytes one byte can stand for."""
_ENCRYPTED, _UTF_8 = 0x01, 0x800
_METHODS = {zipfile.ZIP_STORED: False, zipfile.ZIP_DEFLATED: True}
_OTHER_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}
_DOS = 0
_BROKEN = (
    OSError, EOFError, ValueError, OverflowError, RuntimeError, NotImplementedError, KeyError, IndexError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip


def zip_entries(path: Path, file: Shared, size: int) -> Iterator[Entry]:
    """Yields what the directory of a ZIP archive lists, in the order in which it lies there.

    Raises:
        DataError: it is damaged, encrypted, packed in an unusual way, or no archive that anybody makes in good faith.
    """
    try:
        with zipfile.ZipFile(Opened(file, size)) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    except _BROKEN as exc:
        raise broken(path, exc) from exc
    ends = (*(member.header_offset for member in members[1:]), size)
    for member, end in zip(members, ends, strict=False):
        _check(path, member, end)
        yield Entry(
            name=_name(member),
            what=_what(member),
            start=member.header_offset,
            packed=member.compress_size,
            size=member.file_size,
            deflated=_METHODS[member.compress_type],
            checksum=member.CRC,
        )


def _check(path: Path, member: zipfile.ZipInfo, end: int) -> None:
    name = member.filename[:200]
    if member.flag_bits & _ENCRYPTED:
        raise refused(path, f"{name} in it is encrypted", "Unpack it with its password, and name the folder.")
    if member.compress_type not in _METHODS:
        how = _OTHER_METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise refused(path, f"{name} in it is packed by {how}", "Unpack it, and name the folder: folder:PATH")
    if member.header_offset + _HEADER.size + member.compress_size > end:
        raise refused(path, f"files in it overlap, or lie beyond its end: {name}", "Get it again.")
    most = member.compress_size * (_DEFLATED_MOST if _METHODS[member.compress_type] else 1)
    if member.file_size > most:
        raise refused(path, f"{name} in it claims {member.file_size} bytes and can have at most {most}")


def _name(member: zipfile.ZipInfo) -> str:
    """Returns a name as it was meant: Macs write UTF-8 and do not say so, old Windows programs part by backslashes."""
    name = member.filename
    if not member.flag_bits & _UTF_8 and not name.isascii():
        with suppress(UnicodeError):  # of code page 437, as it says
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/") if member.create_system == _DOS and "/" not in name else name


def _what(member: zipfile.ZipInfo) -> str:
    mode = member.external_attr >> 16 if member.create_system != _DOS else 0
    if member.is_dir() or stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_ISREG(mode) or not stat.S_IFMT(mode) else "special"


def inflated(file: Shared, entry: Entry) -> bytes:
    """Returns the bytes of a file in a ZIP archive.

    Raises:
        ValueError: they are not those that the directory promises.
    """
    head = file.read(entry.start, entry.start + _HEADER.size)
    if len(head) < _HEADER.size or not head.startswith(_SIGNATURE):
        raise ValueError("it does not lie where the archive's directory says")
    _, name_size, extra_size = _HEADER.unpack(head)
    start = entry.start + _HEADER.size + int(name_size) + int(extra_size)
    data = file.read(start, start + entry.packed)
    if entry.deflated:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, entry.size + 1)
        except zlib.error as exc:
            raise ValueError(f"it cannot be unpacked ({exc})") from exc
    if len(data) != entry.size or zlib.crc32(data) != entry.checksum:
        raise ValueError("its bytes are not those that were packed")
    return data
