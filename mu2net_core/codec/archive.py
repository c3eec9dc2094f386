"""A stored zip that is the same bytes for the same members, written and read strictly.

Members are sorted by name, uncompressed, dated 1980-01-01, without zip64; large data is aligned so that it can be
memory-mapped. The reader accepts exactly what the writer writes: it rebuilds every header and compares.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from isal import isal_zlib

from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.objects import LIMITS, Limits

__all__ = ["last_member", "read_archive", "write_archive"]

_ALIGNMENT = 64
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_UNIX = 3 << 8
_DATE = 0x0021  # 1980-01-01
_MODE = 0o100644 << 16
_PADDING = 0xD935  # the extra field Android's zipalign registered: alignment, then zeros
_MAX_MEMBERS = LIMITS.members
_MAX_NAME = 1_024
_MAX_BYTES = 2**32 - 2

Bytes = bytes | memoryview


def write_archive(members: Mapping[str, Bytes], *, aligned: frozenset[str] = frozenset()) -> bytes:
    """Returns the archive of ``members`` by name; the data of those in ``aligned`` begins at multiples of 64.

    Raises:
        InvalidInputError: it would have more than 10,000 members or 2 GiB.
    """
    parts: list[Bytes] = []
    central: list[bytes] = []
    offset = 0
    if len(members) > _MAX_MEMBERS or sum(len(data) for data in members.values()) > _MAX_BYTES // 2:
        raise InvalidInputError(
            f"Cannot store a component of more than {_MAX_MEMBERS} members or 2 GiB: split the layer."
        )
    for name in sorted(members):
        data = members[name]
        crc = isal_zlib.crc32(data)
        local = _local_header(name, crc, len(data), offset, align=name in aligned)
        parts += (local, data)
        central.append(_central_header(name, crc, len(data), offset))
        offset += len(local) + len(data)
    directory = b"".join(central)
    parts += (directory, _end(len(central), len(directory), offset))
    return b"".join(parts)


def read_archive(data: memoryview, *, aligned_suffix: str, limits: Limits = LIMITS) -> dict[str, memoryview]:
    """Returns the members of an archive by name, as views of ``data``; names not ending so are not aligned.

    Args:
        data: the whole archive, trusted in nothing.
        aligned_suffix: members that do *not* end with it are aligned.
        limits: how much is accepted.

    Raises:
        CorruptObjectError: anything about it is not as ``write_archive`` makes it.
    """
    _require(len(data) <= limits.component_bytes, f"it has {len(data)} bytes, over the limit")
    count, size, start = _read_end(data)
    _require(count <= limits.members, f"it has {count} members, over the limit of {limits.members}")
    members: dict[str, memoryview] = {}
    position, offset, previous = start, 0, ""
    for _ in range(count):
        name, crc, length, position = _read_central(data, position, start + size, offset)
        _require(name > previous, f"member {name!r} is out of order")
        header = _local_header(name, crc, length, offset, align=not name.endswith(aligned_suffix))
        body = offset + len(header)
        _require(body + length <= start, f"member {name!r} reaches beyond the members")
        _require(data[offset:body] == header, f"the header of member {name!r} is not canonical")
        members[name] = data[body : body + length]
        _require(isal_zlib.crc32(members[name]) == crc, f"the checksum of member {name!r} is wrong")
        offset, previous = body + length, name
    _require(offset == start and position == start + size, "there are bytes that belong to no member")
    return members


def last_member(data: memoryview, name: str) -> memoryview:
    """Returns the last member of an archive, as a view of ``data``; all others are not looked at.

    Raises:
        CorruptObjectError: there is no archive, or its last member is not called ``name``.
    """
    count, size, start = _read_end(data)
    position = start + size - _CENTRAL.size - len(name.encode())
    _require(count > 0 and position >= start, f"it has no {name}")
    (offset,) = struct.unpack_from("<I", data, position + _CENTRAL.size - 4)
    found, crc, length, _ = _read_central(data, position, start + size, offset)
    header = _local_header(name, crc, length, offset, align=False)
    body = offset + len(header)
    _require(found == name and body + length == start, f"its last member is not {name}")
    _require(data[offset:body] == header, f"the header of member {name!r} is not canonical")
    member = data[body:start]
    _require(isal_zlib.crc32(member) == crc, f"the checksum of member {name!r} is wrong")
    return member


def _local_header(name: str, crc: int, size: int, offset: int, *, align: bool) -> bytes:
    encoded = name.encode()
    extra = b""
    if align:
        bare = offset + _LOCAL.size + len(encoded) + 6
        zeros = -bare % _ALIGNMENT
        extra = struct.pack("<3H", _PADDING, 2 + zeros, _ALIGNMENT) + bytes(zeros)
    head = _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, crc, size, size, len(encoded), len(extra))
    return head + encoded + extra


def _central_header(name: str, crc: int, size: int, offset: int) -> bytes:
    encoded = name.encode()
    head = _CENTRAL.pack(
        b"PK\1\2", _UNIX | _VERSION, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(encoded), 0, 0, 0, 0, _MODE, offset
    )
    return head + encoded


def _end(count: int, size: int, offset: int) -> bytes:
    return _END.pack(b"PK\5\6", 0, 0, count, count, size, offset, 0)


def _read_end(data: memoryview) -> tuple[int, int, int]:
    """Returns number of members, and size and offset of the central directory."""
    _require(_END.size <= len(data) <= _MAX_BYTES, f"it has {len(data)} bytes")
    count, size, offset = struct.unpack_from("<H2I", data, len(data) - 12)
    _require(data[-_END.size :] == _end(count, size, offset), "its end record is not canonical")
    _require(offset + size + _END.size == len(data), "it is cut off or has foreign bytes")
    return count, size, offset


def _read_central(data: memoryview, position: int, end: int, offset: int) -> tuple[str, int, int, int]:
    """Returns name, checksum and size of the member at ``offset``, and where the next record begins."""
    _require(position + _CENTRAL.size <= end, "its directory is cut off")
    crc, size = struct.unpack_from("<2I", data, position + 16)
    (length,) = struct.unpack_from("<H", data, position + 28)
    stop = position + _CENTRAL.size + length
    _require(0 < length <= _MAX_NAME and stop <= end, "its directory is cut off")
    try:
        name = str(data[position + _CENTRAL.size : stop], "ascii")
    except UnicodeDecodeError as exc:
        raise CorruptObjectError("Not a component: a member's name is not ASCII.") from exc
    _require(
        data[position:stop] == _central_header(name, crc, size, offset), f"the record of {name!r} is not canonical"
    )
    return name, crc, size, stop


def _require(condition: bool, problem: str) -> None:  # noqa: FBT001
    if not condition:
        raise CorruptObjectError(f"Not a component: {problem}.")
