"""Any store that fsspec serves and that honours exclusive creation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from threading import Lock
from typing import Any

import fsspec

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, InvalidInputError, NotFoundError, StorageError
from mu2net_core.storage.store import check_key, check_prefix, too_large

__all__ = ["FsspecStore"]

_SCHEMES = ("memory",)
_MEMORY_LOCK = Lock()  # fsspec's memory:// checks and then sets
_TRIES = 6


class FsspecStore:
    """Keeps every key as one object below a URL.

    "Already exists" and every failure that leaves the outcome open are followed by reading back: our bytes there are
    success, others a conflict, none a reason to try again.
    """

    def __init__(
        self, url: str, options: Mapping[str, str] | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        scheme = url.partition("://")[0]
        if scheme not in _SCHEMES:
            raise InvalidInputError(
                f"Cannot open {_without_secret(url)}: expected a folder, or a URL that begins with file://; "
                f"got the scheme {scheme!r}."
            )
        if options:
            raise InvalidInputError(f"Cannot open {_without_secret(url)}: it takes no options; got {sorted(options)}.")
        self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        self._root = root.rstrip("/")
        self._url = _without_secret(url)
        self._sleep = sleep

    @property
    def url(self) -> str:
        """The URL, without user name and password."""
        return self._url

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Returns the bytes at ``key``, if they are no more than ``limit``."""
        end = None if limit is None else limit + 1
        try:
            data: bytes = self._fs.cat_file(self._path(key), end=end)
        except (FileNotFoundError, IsADirectoryError) as exc:
            raise NotFoundError(f"No {key} in {self.url}.") from exc
        except OSError as exc:
            raise self._translate(exc, "read", key) from exc
        if limit is not None and len(data) > limit:
            raise too_large(key, self.url, limit)
        return data

    def create(self, key: str, data: bytes) -> bool:
        """Creates ``key`` unless it exists, with read-back."""
        failure: OSError | None = None
        for attempt in range(_TRIES):
            try:
                self._put(self._path(key), data)
            except FileExistsError:
                lost_reply = failure is not None
            except PermissionError as exc:
                raise self._translate(exc, "write", key) from exc
            except OSError as exc:
                failure, lost_reply = exc, True
            else:
                return True
            try:
                found = self.read(key)
            except NotFoundError:
                self._sleep(SystemRandom().uniform(0, min(5.0, 0.05 * 2**attempt)))
                continue
            if found != data:
                raise AlreadyExistsError(f"{key} in {self.url} exists already, with other content.") from failure
            return lost_reply
        raise StorageError(f"Cannot write {key} in {self.url}: {_TRIES} attempts failed.") from failure

    def list(self, prefix: str) -> Iterator[str]:
        """Yields every key below ``prefix``."""
        prefix = check_prefix(prefix)
        try:
            found = self._fs.find(f"{self._root}/{prefix}" if prefix else self._root)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise self._translate(exc, "list", prefix) from exc
        inside = f"{prefix}/" if prefix else ""
        keys = (str(path)[len(self._root) + 1 :] for path in found)
        yield from sorted(key for key in keys if key.startswith(inside))

    def exists(self, key: str) -> bool:
        """Returns whether there are bytes at ``key``."""
        try:
            return bool(self._fs.isfile(self._path(key)))
        except OSError as exc:
            raise self._translate(exc, "look for", key) from exc

    def delete(self, key: str) -> None:
        """Removes ``key``; missing is fine."""
        try:
            self._fs.rm_file(self._path(key))
        except FileNotFoundError:
            return
        except OSError as exc:
            raise self._translate(exc, "delete", key) from exc

    def size(self, key: str) -> int:
        """Returns the number of bytes at ``key``."""
        return int(self._info(key)["size"])

    def modified(self, key: str) -> datetime:
        """Returns when ``key`` was last written."""
        return self._info(key)["created"].astimezone(UTC)

    def refresh(self, key: str, data: bytes) -> None:
        """Writes ``data`` to ``key`` again."""
        try:
            self._fs.pipe_file(self._path(key), data)
        except OSError as exc:
            raise self._translate(exc, "write", key) from exc

    def _info(self, key: str) -> dict[str, Any]:
        try:
            return self._fs.info(self._path(key))
        except FileNotFoundError as exc:
            raise NotFoundError(f"No {key} in {self.url}.") from exc
        except OSError as exc:
            raise self._translate(exc, "read", key) from exc

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002
        """Returns None: there is no local file."""
        return None

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _put(self, path: str, data: bytes) -> None:
        with _MEMORY_LOCK:
            self._fs.pipe_file(path, data, mode="create")

    def _translate(self, exc: OSError, doing: str, key: str) -> AccessDeniedError | StorageError:
        kind = AccessDeniedError if isinstance(exc, PermissionError) else StorageError
        return kind(f"Cannot {doing} {key} in {self.url}: {exc}.")


def _without_secret(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
