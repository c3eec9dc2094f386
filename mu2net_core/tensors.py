"""Tensors of safetensors files that are trusted in nothing: no more is read than what was asked for and found right.

The ``safetensors`` library checks that a file's header is sound: shapes, types and places that lie one after the other
and fill the file exactly. What it would accept of an absurd size is refused here before it sees the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  so that NumPy knows bfloat16
import numpy as np
from safetensors import SafetensorError, safe_open

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Limits

__all__ = ["Tensors", "open_tensors"]

_LENGTH_BYTES = 8
_AGAIN = "Get the file again: it is cut off, damaged, or something else."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    shape: tuple[int, ...]
    dtype: str
    path: Path
    file: Any


class Tensors:
    """The tensors of open files, by name.

    Attributes:
        names: of all of them.
    """

    def __init__(self, headers: dict[str, _Header]) -> None:
        self._headers = headers
        self.names = frozenset(headers)

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape that ``name``, which is there, says it has."""
        return self._headers[name].shape

    def dtype(self, name: str) -> str:
        """Returns the type of its numbers as the format calls it: ``F32``, ``F16``, ``BF16``, ``I64``, ..."""
        return self._headers[name].dtype

    def read(self, name: str) -> np.ndarray:
        """Returns the numbers of ``name``, which was found right, as float32.

        Raises:
            CorruptObjectError: they cannot be read, or are not finite.
        """
        header = self._headers[name]
        try:
            array = np.asarray(header.file.get_tensor(name), np.float32)
        except (SafetensorError, AttributeError, OSError, TypeError, ValueError) as exc:
            raise _broken(header.path, f"{name[:80]}: {exc}") from exc
        if not np.isfinite(array).all():
            raise CorruptObjectError(
                f"Cannot read {header.path}: {name[:80]} holds numbers that are not finite.",
                hint="Such a model cannot compute anything: get the file again, or choose another.",
            )
        return array


@contextmanager
def open_tensors(paths: Sequence[Path], *, limits: Limits) -> Iterator[Tensors]:
    """Yields the tensors of the files at ``paths``, whose headers alone are read so far.

    Raises:
        NotFoundError: there is no such file.
        CorruptObjectError: one is none of safetensors, is over the limits, or holds a name that another holds, too.
    """
    with ExitStack() as stack:
        _check_sizes(paths, limits)
        headers = dict[str, _Header]()
        for path in paths:
            _check_header(path, limits)
            file = stack.enter_context(_opened(path))
            for name, header in _headers(file, path, limits):
                if name in headers:
                    raise _broken(path, f"{name[:80]} is in {headers[name].path.name}, too")
                headers[name] = header
                if len(headers) > limits.members:
                    raise _over(path, "members", f"there are more than the {limits.members} tensors")
        yield Tensors(headers)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        opened = safe_open(path, framework="numpy")
    except (SafetensorError, OSError, ValueError) as exc:
        raise _broken(path, str(exc).partition("\n")[0].rstrip(".")) from exc
    with opened as file:
        yield file


def _headers(file: Any, path: Path, limits: Limits) -> Iterator[tuple[str, _Header]]:
    for name in file.keys():  # noqa: SIM118  it is no mapping
        outline = file.get_slice(name)
        shape = tuple(outline.get_shape())
        if len(shape) > limits.array_dims:
            raise _over(path, "array_dims", f"{name[:80]} has {len(shape)} dimensions, of {limits.array_dims}")
        yield name, _Header(shape=shape, dtype=str(outline.get_dtype()), path=path, file=file)


def _check_sizes(paths: Sequence[Path], limits: Limits) -> None:
    for path in paths:
        if not path.is_file():
            raise NotFoundError(f"No such file: {path}.")
    size_bytes = sum(path.stat().st_size for path in paths)
    if size_bytes > limits.checkpoint_bytes:
        raise _over(paths[0], "checkpoint_bytes", f"there are {size_bytes} bytes, of {limits.checkpoint_bytes}")


def _check_header(path: Path, limits: Limits) -> None:
    """Checks how long the header says it is: the library would read 100 megabytes of JSON."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    except OSError as exc:
        raise _broken(path, exc.strerror or str(exc)) from exc
    if length > limits.manifest_bytes:
        raise _over(path, "manifest_bytes", f"it claims a header of {length} bytes, of {limits.manifest_bytes}")


def _broken(path: Path, why: str) -> CorruptObjectError:
    return CorruptObjectError(f"Cannot read {path} as safetensors: {why}.", hint=_AGAIN)


def _over(path: Path, limit: str, why: str) -> CorruptObjectError:
    return CorruptObjectError(
        f"Cannot read {path} as safetensors: {why} that the limit allows.",
        hint=f"{_AGAIN} If you trust it: mu2net config set limits.{limit} NUMBER",
    )
