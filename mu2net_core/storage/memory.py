"""fsspec's memory:// as a backend: a storage that lives as long as the process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from threading import Lock
from typing import Any

import fsspec

from mu2net_core.storage.backend import Backend, Failure, Info, Trouble

__all__ = ["MemoryBackend"]

_LOCK = Lock()  # its exclusive creation checks and then sets, and its questions go through all there is


class MemoryBackend(Backend):
    """Objects in this process."""

    def connect(self) -> Any:
        """Returns the file system, which all stores of the process share."""
        return fsspec.filesystem("memory")

    def get(self, path: str, *, start: int = 0, stop: int | None) -> bytes:
        """Returns the object from byte ``start`` up to ``stop``, or to its end."""
        with _LOCK:
            data: bytes = self.fs.cat_file(self._full(path), start=start, end=stop)
        return data

    def put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        """Writes an object."""
        with _LOCK:
            self.fs.pipe_file(self._full(path), data, mode="create" if exclusive else "overwrite")

    def head(self, path: str) -> Info:
        """Returns what is known about an object."""
        with _LOCK:
            found = self.fs.info(self._full(path))
        if found["type"] != "file":
            raise FileNotFoundError(path)
        return Info(size=found["size"], modified=found["created"].astimezone(UTC))

    def delete(self, path: str) -> None:
        """Removes an object."""
        with _LOCK:
            self.fs.rm_file(self._full(path))

    def page(self, prefix: str, after: Any) -> tuple[Sequence[str], Any]:  # noqa: ARG002
        """Returns all objects below ``prefix``."""
        with _LOCK:
            found = self.fs.find(self._full(prefix))
        start = len(self.bucket) + 2
        return [str(path)[start:] for path in found], None

    def look(self) -> None:
        """Does nothing: a bucket is made with its first object."""

    def failure(self, exc: Exception) -> Failure:
        """Returns what went wrong."""
        if isinstance(exc, (FileNotFoundError, IsADirectoryError)):
            return Failure(trouble=Trouble.NO_KEY, reason="not there")
        if isinstance(exc, FileExistsError):
            return Failure(trouble=Trouble.THERE, reason="there already")
        if isinstance(exc, PermissionError):
            return Failure(trouble=Trouble.DENIED, reason=str(exc))
        trouble = Trouble.LOST if isinstance(exc, ConnectionError) else Trouble.REFUSED
        return Failure(trouble=trouble, reason=str(exc) or type(exc).__name__)

    def credentials(self) -> str:
        """Returns that there are none."""
        return "none are needed"

    def _full(self, path: str) -> str:
        return f"/{self.bucket}/{path}"
