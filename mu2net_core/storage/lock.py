"""A lock on this machine that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from mu2net_core.errors import ConflictError
from mu2net_core.storage.files import make_folder, translate
from mu2net_core.storage.links import open_itself
from mu2net_core.storage.rights import follow_folder

__all__ = ["FileLock"]


class FileLock:
    """Holds ``path`` locked inside a ``with`` block; the operating system frees it when the process dies.

    Only keeps processes of one working copy apart; nothing shared between machines depends on it.
    """

    def __init__(self, path: Path, *, what: str | None = None) -> None:
        """Names the lock file, and ``what`` it guards, for the message."""
        self.path = path
        self._what = what or f"the lock {path}"
        self._handle: int | None = None

    def __enter__(self) -> FileLock:
        """Takes the lock.

        Raises:
            ConflictError: another process (or another block of this one) holds it.
        """
        try:
            make_folder(self.path.parent)
            handle = open_itself(str(self.path), os.O_RDWR | os.O_CREAT)
            follow_folder(handle, self.path.parent)
        except OSError as exc:
            raise translate(exc, "lock", self.path) from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise ConflictError(
                f"Cannot take {self._what}: process {holder} on this machine holds it.",
                hint="Wait until that process ends, or stop it, then run the same command again.",
            ) from exc
        with suppress(OSError):  # a full disk: the lock holds all the same, only the message knows less
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Frees the lock; the file stays, so that nobody locks a file without a name."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
