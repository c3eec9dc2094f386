"""Whole files or nothing on a local disk: write aside, sync, then give it its name."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mu2net_core.errors import AccessDeniedError, Mu2netError, StorageError

__all__ = ["TEMP_PREFIX", "make_folder", "replace_file", "sync_all", "sync_folder", "temporary_file", "translate"]

TEMP_PREFIX = ".tmp-"
_MANY = 200

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def translate(exc: OSError, doing: str, where: object) -> Mu2netError:
    """Returns our error for an operating-system error met while ``doing`` something to ``where``."""
    reason = exc.strerror or str(exc)
    if exc.errno in _FULL:
        return StorageError(
            f"Cannot {doing} {where}: disk full or quota reached ({reason}). Nothing was left half-written.",
            hint="Free some space, then run the same command again.",
        )
    if exc.errno in _DENIED:
        return AccessDeniedError(
            f"Cannot {doing} {where}: {reason}.", hint="Check the owner and the permissions of that folder."
        )
    return StorageError(f"Cannot {doing} {where}: {reason}.")


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


def make_folder(folder: Path, *, sync: bool = True) -> None:
    """Creates ``folder`` and its parents, durably unless told otherwise; there already is fine."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        if sync:
            sync_folder(path.parent)


@contextmanager
def temporary_file(folder: Path, data: bytes, *, sync: bool = True) -> Iterator[Path]:
    """Yields a file with ``data`` in ``folder``, synced unless told otherwise; it is removed unless renamed."""
    path = folder / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(handle, "wb", buffering=0) as file:  # noqa: PTH123
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
