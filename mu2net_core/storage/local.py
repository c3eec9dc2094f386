"""A folder as a store. Creation is a hard link, which exactly one of several racing writers can make."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, NotFoundError, StorageError
from mu2net_core.storage.files import make_folder, replace_file, sync_all, sync_folder, temporary_file, translate
from mu2net_core.storage.links import DEEPEST, is_link, link_error, open_itself
from mu2net_core.storage.lock import FileLock
from mu2net_core.storage.store import Store, check_key, check_prefix, too_large, unreadable

__all__ = ["FileLock", "LocalStore", "replace_file", "synced_together"]

_TRIES = 10
"""To create a file that others create and delete at the same time, or its folder."""
_OF_NAMES = 3
"""So deep are the folders of single heads, or of a few objects: one that is closed keeps out what is in it alone."""
_LINKED = {errno.ELOOP, errno.EMLINK}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalStore:
    """Keeps every key as a file below ``root``, on a local disk or a network file system with hard links.

    The root may be a link. Below it none is followed: every method raises CorruptObjectError at a key that lies in a
    folder that is a link, and at one that is a link itself; ``delete`` removes that one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._plain: set[str] = set()
        """Of the root, those that were seen to be no links."""
        self._unsynced: list[Path] | None = None

    @property
    def url(self) -> str:
        """The folder."""
        return str(self.root)

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Returns the bytes at ``key``, if they are no more than ``limit``."""
        path = self._checked(key)
        try:
            with open(path, "rb", buffering=0, opener=open_itself) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise NotFoundError(f"No {key} in {self.url}: what is there is no file.")
                if limit is None:
                    return file.read()
                if status.st_size > limit:
                    raise too_large(key, self.url, limit)
                data = _read_up_to(file, min(status.st_size, limit) + 1)
                if len(data) > limit:
                    raise too_large(key, self.url, limit)
                return data
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as exc:
            raise NotFoundError(f"No {key} in {self.url}.") from exc
        except OSError as exc:
            if exc.errno in _LINKED and is_link(path):
                raise link_error(path) from exc
            failed = translate(exc, "read", path)
            if isinstance(failed, AccessDeniedError) and _may_list(self._path(key).parent):
                raise unreadable(failed) from exc
            raise failed from exc

    def create(self, key: str, data: bytes) -> bool:
        """Creates ``key`` unless it exists: write aside, sync, link, sync the folder."""
        path = self._path(key)
        for left in reversed(range(_TRIES)):
            try:
                if not os.path.lexists(path) and self._made(path, data):
                    return True
                if self._is_same(path, key, data):
                    return False
            except FileNotFoundError as exc:  # its folder, empty so far: others made it too, or removed it
                if not left:
                    raise translate(exc, "write", path) from exc
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
                if not self.root.is_dir():
                    raise translate(exc, "write", path) from exc
                raise AlreadyExistsError(
                    f"Cannot create {key} in {self.url}: a file and a folder would share a name; {_in_the_way(path)}."
                ) from exc
            except OSError as exc:
                raise translate(exc, "write", path) from exc
        raise StorageError(f"Cannot write {path}: a file is there, and is gone when it is read.")

    @contextmanager
    def synced_together(self) -> Iterator[None]:
        """Lets what is created inside the block be forced to the disk at its end, all at once, which is far faster.

        Only for what is checked or made again if the machine stops before the end.
        """
        unsynced: list[Path] = []
        self._unsynced = unsynced
        try:
            yield
        finally:
            self._unsynced = None
        sync_all(unsynced, self.root)

    def list(self, prefix: str) -> Iterator[str]:
        """Yields every key below ``prefix``; hidden files (unfinished ones, a file manager's) are not keys.

        A link to a file or folder is a key, and a folder that is deeper than any repository, or one of a name that may
        not be listed, so that whoever looks after the repository sees that something is there.
        """
        prefix = check_prefix(prefix)
        if prefix:
            self._check_folder(prefix)
        yield from _walk(f"{self.root}/{prefix}" if prefix else self.url, f"{prefix}/" if prefix else "")

    def exists(self, key: str) -> bool:
        """Returns whether there is a file at ``key``."""
        status = self._status(key, "look for")
        return status is not None and stat.S_ISREG(status.st_mode)

    def delete(self, key: str) -> None:
        """Removes ``key``; missing is fine."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as exc:
            raise translate(exc, "delete", path) from exc

    def size(self, key: str) -> int:
        """Returns the size of the file at ``key``."""
        return self._stat(key).st_size

    def holds(self, key: str, data: bytes) -> bool:
        """Returns whether the bytes at ``key`` are ``data``."""
        try:
            return self.size(key) == len(data) and self.read(key, limit=len(data)) == data
        except NotFoundError:
            return False

    def modified(self, key: str) -> datetime:
        """Returns when the file at ``key`` was last written."""
        return datetime.fromtimestamp(self._stat(key).st_mtime, UTC)

    def refresh(self, key: str, data: bytes) -> None:
        """Makes the file at ``key`` as new as now; creates it if it is missing."""
        path = self._path(key)
        try:
            if is_link(path):
                raise link_error(path)
            os.utime(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            self.create(key, data)
        except PermissionError:
            replace_file(path, data)  # of another user: the same bytes in a file of our own
        except OSError as exc:
            raise translate(exc, "refresh", path) from exc

    def local_path(self, key: str) -> Path | None:
        """Returns the file that holds ``key``; that may be a link itself, the folders it is in are none."""
        return Path(self._checked(key))

    def _path(self, key: str) -> Path:
        """Returns the file of ``key``, for writing: its folders are looked at anew."""
        folder, _, _ = check_key(key).rpartition("/")
        self._check_folder(folder, known=set())
        return self.root / key

    def _checked(self, key: str) -> str:
        """Returns the file of ``key``; each folder is looked at once, for a long log is thousands of files."""
        folder, _, _ = check_key(key).rpartition("/")
        if folder not in self._plain:
            self._check_folder(folder)
        return f"{self.root}/{key}"

    def _check_folder(self, folder: str, known: set[str] | None = None) -> None:
        """Raises CorruptObjectError if ``folder``, or one that it is in, is a link."""
        known = self._plain if known is None else known
        if not folder or folder in known:
            return
        self._check_folder(folder.rpartition("/")[0], known)
        path = f"{self.root}/{folder}"
        try:
            mode = os.lstat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as exc:
            raise translate(exc, "look for", path) from exc
        if stat.S_ISLNK(mode):
            raise link_error(path)
        known.add(folder)

    def _stat(self, key: str) -> os.stat_result:
        status = self._status(key, "read")
        if status is None:
            raise NotFoundError(f"No {key} in {self.url}.")
        return status

    def _status(self, key: str, doing: str) -> os.stat_result | None:
        """Returns what is known of the file at ``key``; None if there is none."""
        path = self._checked(key)
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise translate(exc, doing, path) from exc
        if stat.S_ISLNK(status.st_mode):
            raise link_error(path)
        return status

    def _made(self, path: Path, data: bytes) -> bool:
        """Returns whether the file could be made; False if there is one."""
        sync = self._unsynced is None
        make_folder(path.parent, sync=sync)
        with temporary_file(path.parent, data, sync=sync) as temporary:
            created = self._link(temporary, path)
        if created:
            self._sync(path)
        return created

    def _link(self, temporary: Path, path: Path) -> bool:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return temporary.stat().st_nlink == 2  # over NFS a repeated request may report our own success so
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            raise StorageError(
                f"Cannot write {path}: this file system makes no hard links ({exc.strerror}), without which two "
                "writers could overwrite each other.",
                hint="Keep the repository on a file system that has them (ext4, xfs, btrfs, apfs, ntfs, nfs).",
            ) from exc
        return True

    def _is_same(self, path: Path, key: str, data: bytes) -> bool:
        """Returns whether the file that is there has these bytes; False if it was deleted meanwhile."""
        try:
            status = self._stat(key)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError
            is_same = status.st_size == len(data) and self.read(key, limit=len(data)) == data
        except NotFoundError:
            return False
        if not is_same:
            raise AlreadyExistsError(f"{key} in {self.url} exists already, with other content.")
        self._sync(path)
        return True

    def _sync(self, path: Path) -> None:
        """Makes the name of a file durable, now or with many others."""
        if self._unsynced is None:
            sync_folder(path.parent)
        else:
            self._unsynced.append(path)


def synced_together(store: Store) -> AbstractContextManager[None]:
    """Returns ``store.synced_together()`` for a folder; other stores have nothing to wait for."""
    return store.synced_together() if isinstance(store, LocalStore) else nullcontext()


def _walk(folder: str, prefix: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            shown = ((entry.name + "/" * entry.is_dir(follow_symlinks=False), entry.name) for entry in entries)
            found = sorted(shown)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        failed, above = translate(exc, "list", folder), Path(folder).parent
        if not isinstance(failed, AccessDeniedError) or prefix.count("/") < _OF_NAMES or not _may_list(above):
            raise failed from exc
        yield prefix.removesuffix("/")
        return
    for ending, name in found:
        if ending.endswith("/") and prefix.count("/") < DEEPEST:
            yield from _walk(f"{folder}/{name}", prefix + ending)
        elif not name.startswith("."):
            yield prefix + name


def _may_list(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def _in_the_way(path: Path) -> str:
    """Returns what keeps a file from being made at ``path``, and what that is, in words."""
    found = next(place for place in (path, *path.parents) if os.path.lexists(place))
    return f"{found} is a {'folder' if found.is_dir() else 'file'}"


def _read_up_to(file: IO[bytes], most: int) -> bytes:
    """Returns at most so many bytes: a file may grow while it is read."""
    parts: list[bytes] = []
    while most > 0 and (part := file.read(most)):
        parts.append(part)
        most -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
