"""Object ids: the BLAKE3-256 of an object's bytes, in lower-case hex."""

from __future__ import annotations

import re
from typing import Literal

from blake3 import blake3

from mu2net_core.errors import InvalidInputError

__all__ = ["KINDS", "Kind", "check_oid", "hash_bytes", "object_key", "parse_object_key"]

Kind = Literal["component", "model", "task", "commit", "snapshot"]
KINDS: tuple[Kind, ...] = ("component", "model", "task", "commit", "snapshot")

_OID = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"objects/(component|model|task|commit|snapshot)/([0-9a-f]{2})/([0-9a-f]{62})\.(json|zarr\.zip)")


def hash_bytes(data: bytes | memoryview) -> str:
    """Returns the id of ``data``: 64 lower-case hex digits."""
    return blake3(data).hexdigest()


def check_oid(oid: str) -> str:
    """Returns ``oid`` unchanged.

    Raises:
        InvalidInputError: it is not 64 lower-case hex digits.
    """
    if not _OID.fullmatch(oid):
        raise InvalidInputError(f"Not an object id: expected 64 lower-case hex digits, got {oid[:80]!r}.")
    return oid


def object_key(kind: Kind, oid: str) -> str:
    """Returns where the object lies below the repository's root."""
    check_oid(oid)
    suffix = "zarr.zip" if kind == "component" else "json"
    return f"objects/{kind}/{oid[:2]}/{oid[2:]}.{suffix}"


def parse_object_key(key: str) -> tuple[Kind, str] | None:
    """Returns (kind, id) for the key of an object, None for any other key."""
    match = _KEY.fullmatch(key)
    if match is None or (match[4] == "zarr.zip") != (match[1] == "component"):
        return None
    kind: Kind = match[1]  # type: ignore[assignment]
    return kind, match[2] + match[3]
