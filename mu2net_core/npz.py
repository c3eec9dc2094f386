"""Arrays of a NumPy archive (.npz) that is trusted in nothing: no pickle, and nothing is made that was not asked for.

Of each array only the header is read to learn its shape. Its numbers are read when somebody asks for them who knows
what shape they must have, so that a file cannot make anybody allocate what it claims; what no file of that size could
hold is refused anyway.
"""

from __future__ import annotations

import io
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mu2net_core.errors import CorruptObjectError, Mu2netError, NotFoundError
from mu2net_core.objects import Limits

__all__ = ["Header", "Npz", "open_npz"]

_SUFFIX = ".npy"
_PIECE_BYTES = 2**20
_DIRECTORY_BYTES = 2**24
_HEADER_BYTES = 2**16
_MOST_BYTES = 2**62
_DEFLATED_MOST = 1032  # how many bytes one byte can stand for
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    OSError, EOFError, ValueError, TypeError, OverflowError, RuntimeError, SyntaxError,
    struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_AGAIN = "Get the file again: it is cut off, damaged, or something else."


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an array in an archive says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    num_bytes: int


class Npz:
    """An open archive.

    Attributes:
        path: of the file.
        size_bytes: of the file.
        names: of its arrays, in its order.
    """

    def __init__(self, path: Path, size_bytes: int, archive: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self._archive = archive
        self._limits = limits
        members = archive.infolist()
        if len(members) > limits.members:
            raise self.broken(f"it has {len(members)} members, over the limit of {limits.members}")
        arrays = [member for member in members if member.filename.endswith(_SUFFIX)]
        self._members = {member.filename.removesuffix(_SUFFIX): member for member in arrays}
        self.names = tuple(self._members)

    def header(self, name: str) -> Header:
        """Returns what the array ``name``, which is there, says of itself.

        Raises:
            CorruptObjectError: it is no array without pickled objects.
        """
        header = self.outline(name)
        if header.dtype.hasobject:
            raise self.broken(f"{name} has objects in it")
        return header

    def outline(self, name: str) -> Header:
        """Returns the same of an array that may hold pickled objects, which nobody will read."""
        with self._opened(name) as file:
            return self._header(name, file)

    def read(self, name: str) -> np.ndarray:
        """Returns the array ``name`` whose header was found right; reads exactly as much as that says.

        Raises:
            CorruptObjectError: there are fewer or more bytes than that, or they were changed.
        """
        with self._opened(name) as file:
            header = self._header(name, file)
            if header.dtype.hasobject:
                raise self.broken(f"{name} has objects in it")
            data, done = bytearray(header.num_bytes), 0
            while done < len(data) and (piece := file.read(min(_PIECE_BYTES, len(data) - done))):
                data[done : done + len(piece)] = piece
                done += len(piece)
            if done < len(data) or file.read(1):
                raise self.broken(f"{name} has fewer or more bytes than its shape needs")
        return np.ndarray(header.shape, header.dtype, data, order="F" if header.fortran_order else "C")

    def broken(self, why: str) -> CorruptObjectError:
        """Returns the error for a file that is not what it should be."""
        return CorruptObjectError(
            f"Cannot read {self.path} as a NumPy archive (.npz) without pickled objects: {why}.", hint=_AGAIN
        )

    def _header(self, name: str, file: Any) -> Header:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise self.broken(f"{name} is in the version {version} of NumPy's format")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        try:
            shape, fortran_order, dtype = read(io.BytesIO(self._text(name, file, 2 * version[0])))
        except MemoryError as exc:  # Python's parser, of a header nested without end
            raise self.broken(f"{name} has an absurd header") from exc
        if len(shape) > self._limits.array_dims or any(type(side) is not int or side < 0 for side in shape):
            raise self.broken(f"{name} has an absurd shape")
        if prod(max(1, side) for side in shape) * max(1, dtype.itemsize) >= _MOST_BYTES:  # with a side of 0, too
            raise self.broken(f"{name} has an absurd shape")
        num_bytes = prod(shape) * dtype.itemsize
        most = min(self._members[name].file_size, _DEFLATED_MOST * self.size_bytes)
        if num_bytes > most and not dtype.hasobject:
            raise self.broken(f"{name} claims {num_bytes} bytes and has at most {most}")
        return Header(shape=tuple(shape), dtype=dtype, fortran_order=fortran_order, num_bytes=num_bytes)

    def _text(self, name: str, file: Any, num_digits: int) -> bytes:
        """Returns the rest of a header, whose first bytes say how long it is: NumPy would read any length."""
        digits = file.read(num_digits)
        length = int.from_bytes(digits, "little")
        if length > _HEADER_BYTES:
            raise self.broken(f"{name} has an absurd header of {length} bytes")
        return bytes(digits + file.read(length))

    @contextmanager
    def _opened(self, name: str) -> Iterator[Any]:
        member = self._members[name]
        if member.compress_type not in _METHODS or member.flag_bits & 1:
            raise self.broken(f"{name} is encrypted, or packed in a way that NumPy does not use")
        with _explained(self.path), self._archive.open(member) as file:
            yield file


@contextmanager
def open_npz(path: Path, *, limits: Limits) -> Iterator[Npz]:
    """Yields the archive at ``path``.

    Raises:
        NotFoundError: there is no such file.
        CorruptObjectError: it is none, or has too many members.
    """
    with ExitStack() as stack:
        with _explained(path):
            file = stack.enter_context(_Bounded(path))
            size_bytes = os.fstat(file.fileno()).st_size
            archive = stack.enter_context(zipfile.ZipFile(file))
        yield Npz(path, size_bytes, archive, limits)


class _Bounded(io.FileIO):
    """A file of which no more is read at once than a directory of an honest archive needs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")

    def read(self, size: int | None = -1, /) -> bytes:
        rest = os.fstat(self.fileno()).st_size - self.tell()
        size = rest if size is None or size < 0 else min(size, rest)
        if size > _DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its directory has {size} bytes")
        return super().read(size) or b""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns what Python's and NumPy's readers raise into ours."""
    try:
        yield
    except Mu2netError:
        raise
    except FileNotFoundError as exc:
        raise NotFoundError(f"No such file: {path}.") from exc
    except _BROKEN as exc:
        raise CorruptObjectError(
            f"Cannot read {path} as a NumPy archive (.npz) without pickled objects: "
            f"{str(exc).partition(chr(10))[0].rstrip('.')}.",
            hint=_AGAIN,
        ) from exc
