"""The contract every storage keeps: bytes by key, created once, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, InvalidInputError, UnreadableError

__all__ = ["MOST_NAMES", "Store", "check_key", "check_prefix", "is_key", "too_large", "unreadable"]

MOST_NAMES = 2_000_000
"""In one listing of a server, unless whoever opens it says otherwise."""
_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


class Store(Protocol):
    """Bytes by key below one root.

    A key is segments joined by ``/``. Every method raises AccessDeniedError where permissions forbid it (reading one
    file of several, UnreadableError) and StorageError where the storage fails; a failure never leaves a part of an
    object behind under its key.

    Attributes:
        url: where it is, for messages; holds no secret.
    """

    @property
    def url(self) -> str:
        """Where it is, for messages; holds no secret."""
        ...

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Returns the bytes at ``key``; never brings over more than ``limit`` + 1 bytes of them.

        Raises:
            NotFoundError: there are none.
            CorruptObjectError: there are more than ``limit``.
        """
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Creates ``key`` unless it exists; exactly one of several racing writers does.

        Returns:
            True if this call created it, False if the same bytes are there already, perhaps by a request of this very
            call whose answer was lost and which a library below sent again.

        Raises:
            AlreadyExistsError: other bytes are there; they stay.
        """
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Yields every key below the folder ``prefix`` (``""`` for all), sorted."""
        ...

    def exists(self, key: str) -> bool:
        """Returns whether there are bytes at ``key``."""
        ...

    def delete(self, key: str) -> None:
        """Removes ``key``; missing is fine."""
        ...

    def size(self, key: str) -> int:
        """Returns the number of bytes at ``key``; raises NotFoundError if there are none."""
        ...

    def holds(self, key: str, data: bytes) -> bool:
        """Returns whether the bytes at ``key`` are ``data``.

        They are read and compared, but for large objects of a storage that says what their MD5 is, and says the right
        one: that costs one request and no bytes.
        """
        ...

    def modified(self, key: str) -> datetime:
        """Returns when ``key`` was last written, in UTC by the storage's own clock; raises NotFoundError if never."""
        ...

    def refresh(self, key: str, data: bytes) -> None:
        """Writes ``data``, the bytes that ``key`` has or should have, so that ``modified`` is now.

        Only for keys that name their content: whoever writes one writes the same bytes.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """Returns the file that holds ``key``, for memory mapping; None if the storage has no such file."""
        ...


def check_key(key: str) -> str:
    """Returns ``key`` unchanged.

    Raises:
        InvalidInputError: it is absolute, empty, or has a segment that is empty, hidden, ``..`` or otherwise unsafe.
    """
    if not is_key(key):
        raise InvalidInputError(
            f"Not a storage key: {key[:200]!r}. Expected segments of A-Z a-z 0-9 . _ + - joined by '/'."
        )
    return key


def is_key(key: str) -> bool:
    """Returns whether ``key`` is one: not absolute or empty, and with no segment that is unsafe."""
    return _KEY.fullmatch(key) is not None


def check_prefix(prefix: str) -> str:
    """Returns ``prefix`` without a closing slash, checked like a key; ``""`` is the root."""
    prefix = prefix.removesuffix("/")
    return check_key(prefix) if prefix else ""


def too_large(key: str, url: str, limit: int) -> CorruptObjectError:
    """Returns the error for an object of more bytes than its reader allows."""
    return CorruptObjectError(f"{key} in {url} is larger than the size limit of {limit} bytes; it was not read.")


def unreadable(failed: AccessDeniedError) -> UnreadableError:
    """Returns the error for a file that may not be read, where others could be listed or read just before."""
    hint = f"Other files there may be read. Whoever wrote this one can open it for others, or delete it. {failed.hint}"
    return UnreadableError(failed.message, hint=hint if failed.hint else hint.removesuffix(" None"))
