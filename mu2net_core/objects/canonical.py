"""Values to canonical JSON bytes and back.

Canonical: keys sorted, no spaces, UTF-8, shortest round-trip floats as Python prints them, no NaN or infinity.
Reading is strict about types and lenient about unknown keys, so that a newer minor version can add one; transfers
copy bytes, never re-encode, so unknown keys are kept.
"""

from __future__ import annotations

import json
from math import isfinite
from threading import Lock
from typing import Any, TypeVar

import msgspec

from mu2net_core.errors import CorruptObjectError, InternalError

__all__ = ["decode", "encode", "to_document", "to_json"]

T = TypeVar("T")

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}
_BUILDING = Lock()  # two threads that make msgspec look into one dataclass for the first time crash the process


def to_json(value: Any) -> Any:
    """Returns ``value`` (a dataclass of ours) as plain dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value)


def to_document(value: Any) -> Any:
    """Returns ``value`` likewise for other programs: paths as strings, and None for numbers that are not finite."""
    return _finite(msgspec.to_builtins(value, enc_hook=str, str_keys=True))


def encode(value: Any) -> bytes:
    """Returns the canonical bytes of ``value``.

    Keys that its class names in ``OMITTED_IF_NONE`` came later than the format: absent ones are left out, so that
    objects without them keep the ids they always had.

    Raises:
        InternalError: it holds NaN or infinity; such a value must never get this far.
    """
    plain = to_json(value)
    for name in getattr(type(value), "OMITTED_IF_NONE", ()):
        if plain[name] is None:
            del plain[name]
    try:
        text = _ENCODER.encode(plain)
    except ValueError as exc:
        raise InternalError(f"Cannot store {type(value).__name__}: {exc}.") from exc
    return text.encode()


def decode(data: bytes, kind: type[T], *, what: str) -> T:
    """Returns ``data`` decoded and checked as ``kind``.

    Args:
        data: JSON bytes, trusted in nothing.
        kind: the dataclass to build; its ``__post_init__`` checks run too.
        what: names the object in the error, e.g. ``"commit 3fa9…"``.

    Raises:
        CorruptObjectError: not JSON, wrong types, missing keys, absurd nesting, or a failed check.
    """
    try:
        value: T = _decoder(kind).decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise CorruptObjectError(f"Cannot read {what}: {exc}.") from exc
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _decoder(kind: type) -> msgspec.json.Decoder[Any]:
    if kind not in _DECODERS:
        with _BUILDING:
            _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    return _DECODERS[kind]
