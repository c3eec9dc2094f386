"""Whole files or nothing on a local disk: write aside, sync, then give it its name."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mu2net_core.errors import AccessDeniedError, Mu2netError, StorageError
from mu2net_core.storage.rights import follow_folder, is_shared, who_may

__all__ = [
    "TEMP_PREFIX",
    "is_of_the_system",
    "make_folder",
    "read_if_there",
    "replace_file",
    "sync_all",
    "sync_folder",
    "temporary_file",
    "translate",
    "translated",
]

TEMP_PREFIX = ".tmp-"
_MANY = 200

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_READ_ONLY = "It lies on a file system that is mounted for reading only: mount it for writing, or use another place."
_HINTS = {
    errno.EROFS: _READ_ONLY,
    errno.ENOTDIR: "A part of that path is a file, where a folder is expected: correct the path.",
    errno.ELOOP: "Its links lead in a circle: correct the path.",
    errno.ENAMETOOLONG: "Use a folder with a shorter path, or shorter names.",
    errno.EIO: "The disk or the network share fails. See that it is well, then run the same command again.",
    errno.ESTALE: "The network share was mounted anew, or is gone. See that it is there, then say the same again.",
    errno.EMFILE: "Allow this process more open files: ulimit -n 4096",
}


def translate(exc: OSError, doing: str, where: object) -> Mu2netError:
    """Returns our error for an operating-system error met while ``doing`` something to ``where``."""
    reason = exc.strerror or str(exc)
    if exc.errno in _FULL:
        return StorageError(
            f"Cannot {doing} {where}: disk full or quota reached ({reason}). Nothing was left half-written.",
            hint="Free some space, then run the same command again.",
        )
    if exc.errno in _DENIED:
        hint = _HINTS.get(exc.errno) or who_may(exc.filename or where)
        return AccessDeniedError(f"Cannot {doing} {where}: {reason}.", hint=hint)
    return StorageError(f"Cannot {doing} {where}: {reason}.", hint=_HINTS.get(exc.errno or 0))


@contextmanager
def translated(doing: str, where: object) -> Iterator[None]:
    """Turns an operating-system error inside the block into ours, met while ``doing`` something to ``where``."""
    try:
        yield
    except OSError as exc:
        raise translate(exc, doing, where) from exc


def read_if_there(path: Path) -> bytes | None:
    """Returns the bytes of a file, None if there is none.

    Raises:
        AccessDeniedError: permissions forbid it.
        StorageError: the disk fails.
    """
    with translated("read", path):
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def is_of_the_system(exc: OSError) -> bool:
    """Returns whether an error says that a disk, or the rights on it, are not as they need to be, and is no defect."""
    return exc.errno in {*_FULL, *_DENIED, *_HINTS}


def sync_folder(folder: Path) -> None:
    """Makes the names in ``folder`` durable, where the file system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # no right to read it, or no handles on folders: nothing to gain
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def sync_all(paths: Sequence[Path], root: Path) -> None:
    """Makes the files ``paths``, and their names in the folders below ``root``, durable."""
    if len(paths) > _MANY and hasattr(os, "sync"):
        os.sync()  # everything on the machine, and still far faster than so many files one by one
        return
    for path in paths:
        sync_folder(path)
    for folder in {parent for path in paths for parent in path.parents if parent.is_relative_to(root)}:
        sync_folder(folder)


def make_folder(folder: Path, *, sync: bool = True, private: bool = False) -> None:
    """Creates ``folder`` and its parents, durably unless told otherwise; there already is fine.

    What is made in a folder that others may write to can be written by the same people (``follow_folder``), unless
    ``private``: then it is as the umask says.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        if not private and is_shared(path.parent):
            _make_shared(path)
        else:
            path.mkdir(exist_ok=True)
        if sync:
            sync_folder(path.parent)


def _make_shared(path: Path) -> None:
    """Makes a folder that has its rights from the first moment, when others may begin to write into it."""
    temporary = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        follow_folder(temporary, path.parent)
        temporary.rename(path)
    except OSError:
        temporary.rmdir()
        if not path.is_dir():  # else somebody was quicker
            raise


@contextmanager
def temporary_file(folder: Path, data: bytes, *, sync: bool = True) -> Iterator[Path]:
    """Yields a file with ``data`` in ``folder``, synced unless told otherwise; it is removed unless renamed."""
    path = folder / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(handle, "wb", buffering=0) as file:  # noqa: PTH123
            follow_folder(handle, folder)
            _write_all(file.fileno(), data)
            if sync:
                os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def replace_file(path: Path, data: bytes) -> None:
    """Replaces the file at ``path`` by ``data``, as a whole: for files only this machine reads (settings, state).

    Raises:
        StorageError: the disk is full or fails; the old content stays.
        AccessDeniedError: permissions forbid it.
    """
    try:
        make_folder(path.parent)
        with temporary_file(path.parent, data) as temporary:
            os.replace(temporary, path)  # noqa: PTH105
        sync_folder(path.parent)
    except OSError as exc:
        raise translate(exc, "write", path) from exc
