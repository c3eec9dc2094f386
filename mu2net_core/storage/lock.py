"""A lock on this machine that dies with its holder."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from mu2net_core.errors import ConflictError
from mu2net_core.storage.files import make_folder, translate
from mu2net_core.storage.links import open_itself
from mu2net_core.storage.rights import follow_folder

__all__ = ["FileLock", "holder_of"]

_POLL_S = 0.02


class FileLock:
    """Holds ``path`` locked inside a ``with`` block; the operating system frees it when the process dies.

    Only keeps processes of one working copy apart; nothing shared between machines depends on it.
    """

    def __init__(self, path: Path, *, what: str | None = None, patience_s: float = 0.1) -> None:
        """Names the lock file, and ``what`` it guards, for the message; ``patience_s`` is how long it is waited for."""
        self.path = path
        self._what = what or f"the lock {path}"
        self._patience_s = patience_s
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
            self._wait(handle)
        except OSError as exc:
            process = _written(handle)
            os.close(handle)
            holder = "another process" if process is None else f"process {process}"
            raise ConflictError(
                f"Cannot take {self._what}: {holder} on this machine holds it.",
                hint="Wait until that process ends, or stop it, then run the same command again.",
            ) from exc
        with suppress(OSError):  # a full disk: the lock holds all the same, only the message knows less
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return self

    def _wait(self, handle: int) -> None:
        end = time.monotonic() + self._patience_s
        while True:
            try:
                return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= end:
                    raise
            time.sleep(_POLL_S)

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Frees the lock; the file stays, so that nobody locks a file without a name."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def holder_of(path: Path) -> int | None:
    """Returns the process that holds the lock ``path`` now; None if none does, or it cannot be told."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        process = _written(handle)
        if process is None or not _is_alive(process):
            return None  # the usual case, in which the lock is not touched
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return process
    except OSError:
        return None
    finally:
        os.close(handle)
    return None


def _written(handle: int) -> int | None:
    """Returns the process that says in the lock's file that it holds it."""
    word = os.pread(handle, 32, 0).decode(errors="replace").strip()
    return int(word) if word.isdecimal() else None


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True  # another user's
    except (OSError, OverflowError):
        return False
    return True
