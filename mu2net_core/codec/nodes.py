"""The ``zarr.json`` documents of a Zarr v3 hierarchy: exactly the ones we write, no others."""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import msgspec
import numpy as np

from mu2net_core.codec.root import MAX_DOCUMENT
from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.objects import LIMITS, Limits, encode

__all__ = [
    "ArrayInfo",
    "array_node",
    "check_array_name",
    "chunk_key",
    "dtype_of",
    "read_array_node",
]

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_PLAIN = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
_BFLOAT16 = "bfloat16"
_MAX_NUMBERS = 2**31


class _BytesConfiguration(msgspec.Struct, forbid_unknown_fields=True):
    endian: Literal["little"]


class _Attributes(msgspec.Struct, forbid_unknown_fields=True):
    mu2net: dict[Literal["dtype"], Literal["bfloat16"]] | None = None


class ArrayInfo(msgspec.Struct, frozen=True):
    """What a reader needs of an array's document: its shape and the name of its number type."""

    shape: tuple[int, ...]
    data_type: str
    attributes: _Attributes

    @property
    def dtype_name(self) -> str:
        """The number type in the array's terms; bfloat16 is kept as uint16 with an attribute."""
        return self.data_type if self.attributes.mu2net is None else _BFLOAT16


_ARRAY = msgspec.json.Decoder(ArrayInfo)  # made once: threads must not make msgspec look into a class at the same time


def array_node(shape: tuple[int, ...], dtype_name: str) -> bytes:
    """Returns the document of an array kept as one little-endian, uncompressed chunk."""
    plain = dtype_name != _BFLOAT16
    return encode(
        {
            "attributes": {} if plain else {"mu2net": {"dtype": _BFLOAT16}},
            "chunk_grid": {"configuration": {"chunk_shape": list(shape)}, "name": "regular"},
            "chunk_key_encoding": {"configuration": {"separator": "/"}, "name": "default"},
            "codecs": [{"configuration": {"endian": "little"}, "name": "bytes"}],
            "data_type": dtype_name if plain else "uint16",
            "fill_value": False if dtype_name == "bool" else 0.0 if dtype_name.startswith("float") else 0,
            "node_type": "array",
            "shape": list(shape),
            "zarr_format": 3,
        }
    )


def read_array_node(data: memoryview, what: str, limits: Limits = LIMITS) -> ArrayInfo:
    """Returns the contents of an array's document.

    Raises:
        CorruptObjectError: it differs from what ``array_node`` writes, or its shape or type is not allowed.
    """
    if len(data) > MAX_DOCUMENT:
        raise CorruptObjectError(f"Not a component: the document of {what} has {len(data)} bytes.")
    try:
        info = _ARRAY.decode(data)
        check_shape(info.shape, limits)
        dtype_of(info.dtype_name)
    except (msgspec.MsgspecError, InvalidInputError, RecursionError) as exc:
        raise CorruptObjectError(f"Not a component: the document of {what} is wrong ({exc}).") from exc
    if data != array_node(info.shape, info.dtype_name):
        raise CorruptObjectError(f"Not a component: the document of {what} is not canonical.")
    return info


def chunk_key(num_dimensions: int) -> str:
    """Returns the key of the only chunk of an array: ``c/0/0``, or ``c`` for a single number."""
    return "/".join(["c", *["0"] * num_dimensions])


def check_shape(shape: tuple[int, ...], limits: Limits = LIMITS) -> tuple[int, ...]:
    """Returns ``shape`` unchanged; raises InvalidInputError unless it has few, positive sizes that fit in 2 GiB."""
    if len(shape) > limits.array_dims or any(size < 1 for size in shape) or math.prod(shape) > _MAX_NUMBERS:
        raise InvalidInputError(
            f"Cannot store an array of shape {str(shape)[:120]}: expected up to {limits.array_dims} positive sizes, "
            "under 2 GiB."
        )
    return shape


def check_array_name(name: str) -> str:
    """Returns ``name`` unchanged; raises InvalidInputError unless it is slash-joined words that Zarr allows."""
    segments = name.split("/")
    if not all(map(_SEGMENT.fullmatch, segments)) or "zarr.json" in segments or len(name) > 512:
        raise InvalidInputError(f"Not an array name: {name[:120]!r}. Expected A-Z a-z 0-9 . _ + - joined by '/'.")
    return name


def dtype_of(name: str) -> np.dtype[Any]:
    """Returns the little-endian NumPy type of that name; raises InvalidInputError if it may not be stored."""
    if name == _BFLOAT16:
        import ml_dtypes  # comes with JAX; only such arrays need it

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    if name not in _PLAIN:
        raise InvalidInputError(
            f"Cannot store numbers of type {name}: expected one of {', '.join(_PLAIN)}, {_BFLOAT16}."
        )
    little: np.dtype[Any] = np.dtype(name).newbyteorder("<")
    return little
