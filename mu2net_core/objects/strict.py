"""Reading what somebody else may have written: bounded before it is decoded, in its one form, every value sane."""

from __future__ import annotations

import json
import re
from typing import TypeVar

import msgspec

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects.canonical import decode
from mu2net_core.objects.checks import check_values
from mu2net_core.objects.limits import LIMITS, Limits

__all__ = ["decode_strict"]

T = TypeVar("T")

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_EXPONENT = re.compile(rb"e-?[0-9]{1,3}[,}\]]")


def decode_strict(data: bytes, kind: type[T], *, what: str, limits: Limits = LIMITS) -> T:
    """Returns ``data`` decoded and checked as ``kind``: a model, task, commit, snapshot or head's entry.

    Args:
        data: JSON bytes, trusted in nothing.
        kind: the dataclass to build.
        what: names the object in the error, e.g. ``"commit 3fa9…"``.
        limits: how much is accepted.

    Raises:
        CorruptObjectError: too large, nested too deep, not JSON, wrong types, keys missing or twice, not the canonical
            bytes of anything, or a value that cannot be right.
    """
    if len(data) > limits.manifest_bytes:
        raise CorruptObjectError(
            f"Cannot read {what}: it has {len(data)} bytes, over the limit of {limits.manifest_bytes}.",
            hint="If you trust it: mu2net config set limits.manifest_bytes NUMBER",
        )
    value = decode(data, kind, what=what)  # which stops at any depth that could exhaust the stack
    if not _is_shallow(data, limits.json_depth):
        raise CorruptObjectError(f"Cannot read {what}: it is nested more than {limits.json_depth} deep.")
    if not _is_canonical(data):
        raise CorruptObjectError(f"Cannot read {what}: it is not canonical JSON (docs/format.md, section 3).")
    try:
        check_values(value)
    except ValueError as exc:
        raise CorruptObjectError(f"Cannot read {what}: {exc}.") from exc
    return value


def _is_shallow(data: bytes, depth: int) -> bool:
    """Returns whether lists and objects lie at most ``depth`` deep inside one another."""
    brackets = data.translate(None, _NOT_BRACKETS)
    for _ in range(depth):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return not brackets or _depth(data, depth) <= depth


def _depth(data: bytes, enough: int) -> int:
    """Returns how deep ``data`` is nested, brackets in strings not counted; stops counting beyond ``enough``."""
    deepest = level = 0
    for token in _TOKEN.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            level += 1
            deepest = max(deepest, level)
            if deepest > enough:
                break
        elif first in b"]}":
            level -= 1
    return deepest


def _is_canonical(data: bytes) -> bool:
    """Returns whether ``data``, which is JSON, is written in the one form it can have."""
    try:
        plain = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # in what the typed reading skipped
        return False
    odd = b"0.0000" in data or _EXPONENT.search(data)  # which msgspec writes in another form
    if not odd and msgspec.json.encode(plain, order="deterministic") == data:
        return True
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() == data
