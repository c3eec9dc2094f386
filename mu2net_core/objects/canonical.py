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
from functools import cache
from itertools import islice
from math import isfinite
from threading import Lock
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from mu2net_core.errors import CorruptObjectError, InternalError
from mu2net_core.objects.kinds import Input, Other, Output, kind_of, plain_kind

__all__ = ["decode", "encode", "to_document", "to_json"]

T = TypeVar("T")

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
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
        known, deep = _fields(value.__class__)
        if not known >= plain.keys():
            yield from (f"{path}{key[:_LONGEST_KEY]}" for key in plain if key not in known)
        for key in deep:
            if key in plain:
                yield from _unknown(getattr(value, key), plain[key], f"{path}{key}.")
    elif isinstance(value, Mapping | tuple):
        places = value if isinstance(value, Mapping) else range(len(value))
        for place in places:
            yield from _unknown(value[place], plain[place], f"{path}{str(place)[:_LONGEST_KEY]}.")


@cache
def _fields(cls: type) -> tuple[frozenset[str], tuple[str, ...]]:
    """Returns the keys that are known of a dataclass, and those of them under which there are keys of others."""
    hints = get_type_hints(cls)
    known = [field.name for field in fields(cls) if field.name != _UNKNOWN]
    return frozenset(known), tuple(name for name in known if _has_fields(hints[name]))


def _has_fields(hint: Any) -> bool:
    return is_dataclass(hint) or hint in (Input, Output) or any(map(_has_fields, get_args(hint)))


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
