"""Values to canonical JSON bytes and back.

Canonical: keys sorted, no spaces, UTF-8, shortest round-trip floats as Python prints them, no NaN or infinity.
Reading is strict about types and lenient about unknown keys, so that a newer minor version can add one. Transfers
copy bytes, never re-encode, so that unknown keys are kept. A value that is used, not only carried, notes in a field
``unknown_keys`` which there were, and is never encoded without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import islice
from math import isfinite
from threading import Lock
from typing import Any, TypeVar

import msgspec

from mu2net_core.errors import CorruptObjectError, InternalError
from mu2net_core.objects.kinds import Other, kind_of, plain_kind

__all__ = ["decode", "encode", "to_document", "to_json"]

T = TypeVar("T")

_UNKNOWN = "unknown_keys"
_LONGEST_KEY = 80
_TOLD = 8
"""So many unknown keys are noted; one is enough to know that something was not understood."""

_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}
_BUILDING = Lock()  # two threads that make msgspec look into one dataclass for the first time crash the process


def to_json(value: Any) -> Any:
    """Returns ``value`` (a dataclass of ours) as plain dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value, enc_hook=plain_kind)


def to_document(value: Any) -> Any:
    """Returns ``value`` likewise for other programs: paths as strings, and None for numbers that are not finite."""
    return _finite(msgspec.to_builtins(value, enc_hook=_shown, str_keys=True))


def encode(value: Any) -> bytes:
    """Returns the canonical bytes of ``value``.

    Keys that its class names in ``OMITTED_IF_NONE`` came later than the format: absent ones are left out, so that
    objects without them keep the ids they always had.

    Raises:
        InternalError: it holds NaN or infinity, or was read with keys that are unknown; such a value must never get
            this far.
    """
    plain = to_json(value)
    if hasattr(value, _UNKNOWN) and plain.pop(_UNKNOWN):
        keys = ", ".join(value.unknown_keys)
        raise InternalError(f"Cannot store {type(value).__name__}: this version would drop its keys {keys}.")
    for name in getattr(type(value), "OMITTED_IF_NONE", ()):
        if plain[name] is None:
            del plain[name]
    try:
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
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
        value: T = _with_unknown_keys(_decoder(kind).decode(data), data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise CorruptObjectError(f"Cannot read {what}: {exc}.") from exc
    return value


def _with_unknown_keys(value: Any, data: bytes) -> Any:
    """Returns ``value``, which notes unknown keys in ``data`` if it has a field for them."""
    if not hasattr(value, _UNKNOWN):
        return value
    unknown = tuple(islice(_unknown(value, msgspec.json.decode(data), ""), _TOLD))
    return value if unknown == value.unknown_keys else replace(value, **{_UNKNOWN: unknown})


def _unknown(value: Any, plain: Any, path: str) -> Iterator[str]:
    """Yields the keys in ``plain`` that ``value``, which was decoded from it, has no field for; dotted."""
    if is_dataclass(value):
        known = {field.name for field in fields(value)} - {_UNKNOWN}
        for key, part in plain.items():
            if key in known:
                yield from _unknown(getattr(value, key), part, f"{path}{key}.")
            else:
                yield f"{path}{key[:_LONGEST_KEY]}"
    elif isinstance(value, Mapping | tuple) and _holds_values(value):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in pairs:
            yield from _unknown(one, plain[key], f"{path}{str(key)[:_LONGEST_KEY]}.")


def _holds_values(value: Any) -> bool:
    """Returns whether there may be values of ours in a mapping or tuple: all that it holds are of one type."""
    first = next(iter(value.values() if isinstance(value, Mapping) else value), None)
    return is_dataclass(first) or isinstance(first, Mapping | tuple)


def _shown(value: Any) -> Any:
    return plain_kind(value) if isinstance(value, Other) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _decoder(kind: type) -> msgspec.json.Decoder[Any]:
    if kind not in _DECODERS:
        with _BUILDING:
            _DECODERS.setdefault(kind, msgspec.json.Decoder(kind, dec_hook=kind_of))
    return _DECODERS[kind]
