"""A bucket as a store: the same primitive as on a disk, over requests that may fail at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import NoReturn, TypeVar, cast

from mu2net_core.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    CredentialsExpiredError,
    NotFoundError,
    StorageError,
    UnreadableError,
)
from mu2net_core.storage.backend import Backend, Failure, Info, Trouble
from mu2net_core.storage.patience import Patience
from mu2net_core.storage.store import MOST_NAMES, check_key, check_prefix, too_large, unreadable

__all__ = ["FsspecStore"]

T = TypeVar("T")
_Failed = tuple[Failure, Exception]

_MISSING = (Trouble.NO_KEY, Trouble.NOTHING)
_PASSING = (Trouble.BUSY, Trouble.AWAY, Trouble.LOST)
_READING = ("read", "read back")
_AGAIN = "See that this machine is online and the server is up, then run the same command again: it goes on from there."
_EMPTY_PAGE = 100  # what a page without names counts as, which some servers send now and then
_READ_BACK_BYTES = 64 * 1024  # of more, size and MD5 are compared first


class FsspecStore:
    """Keeps every key as one object below a URL.

    "It exists already", and every failure that leaves the outcome open, are followed by reading back: our bytes
    there are success, others a conflict, none a reason to try again. Usable from several threads at once.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        most_names: int = MOST_NAMES,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = backend
        self._most_names = most_names
        self._url = backend.place.url
        self._patience = partial(Patience, sleep, clock)
        self._bucket_is_there = False
        self._was_reached = self._is_open = False

    @property
    def url(self) -> str:
        """The URL, which holds no secret."""
        return self._url

    def credentials(self) -> str:
        """Returns which credentials are used, in words, or where they were looked for."""
        return self._backend.credentials()

    @property
    def keeps_versions(self) -> bool:
        """Whether it was seen that what is deleted stays there as an older version."""
        return self._backend.keeps_versions

    def is_retained(self, key: str) -> bool:
        """Returns whether the storage says that ``key`` cannot be deleted for a while."""
        return self._info("look for", key).is_retained

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Returns the bytes at ``key``, if they are no more than ``limit``."""
        path, stop = self._path(key), None if limit is None else limit + 1
        data = self._ask("read", key, partial(self._backend.get, path, stop=stop))
        self._is_open = True
        if limit is not None and len(data) > limit:
            raise too_large(key, self.url, limit)
        return data

    def create(self, key: str, data: bytes) -> bool:
        """Creates ``key`` unless it exists, with read-back."""
        path, patience, perhaps_ours = self._path(key), self._patience(), False
        while failed := self._try(partial(self._backend.put, path, data, exclusive=True))[1]:
            failure, cause = failed
            if failure.trouble not in (*_PASSING, Trouble.THERE):
                self._fail("write", key, failure, cause)
            perhaps_ours = perhaps_ours or failure.trouble is not Trouble.THERE
            same = None if failure.trouble is Trouble.BUSY else self._holds(key, data, cause, patience)
            if same is False:
                raise AlreadyExistsError(f"{key} in {self.url} exists already, with other content.") from cause
            if same:
                return perhaps_ours
            if not patience.again(failure.trouble, was_reached=self._was_reached):
                self._fail("write", key, failure, cause, patience)
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """Yields every key below ``prefix``."""
        prefix = check_prefix(prefix)
        root = f"{self._backend.place.root}/" if self._backend.place.root else ""
        inside = f"{root}{prefix}/" if prefix else root
        found: list[str] = []
        for names in self._pages(prefix or "the objects", inside):
            found += (name[len(root) :] for name in names if name.startswith(inside) and not name.endswith("/"))
        yield from sorted(found)

    def exists(self, key: str) -> bool:
        """Returns whether there are bytes at ``key``."""
        try:
            self._info("look for", key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        """Removes ``key``; missing is fine."""
        path = self._path(key)
        try:
            self._ask("delete", key, partial(self._backend.delete, path))
        except NotFoundError:
            return

    def size(self, key: str) -> int:
        """Returns the number of bytes at ``key``."""
        return self._info("look for", key).size

    def holds(self, key: str, data: bytes) -> bool:
        """Returns whether the bytes at ``key`` are ``data``."""
        try:
            return self._is_same(key, data, self._patience())
        except NotFoundError:
            return False

    def modified(self, key: str) -> datetime:
        """Returns when ``key`` was last written, by the storage's clock."""
        return self._info("look for", key).modified

    def refresh(self, key: str, data: bytes) -> None:
        """Writes ``data`` to ``key`` again."""
        path = self._path(key)
        self._ask("write", key, partial(self._backend.put, path, data, exclusive=False))

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002
        """Returns None: there is no local file."""
        return None

    def _pages(self, what: str, inside: str) -> Iterator[Sequence[str]]:
        """Yields the names below ``inside``, page by page; a server that never ends is not followed for ever."""
        after, count = None, 0
        while True:
            names, following = self._ask("list", what, partial(self._backend.page, inside, after))
            self._is_open = True
            yield names
            if following is None:
                return
            count += max(len(names), _EMPTY_PAGE)
            if following == after:
                raise StorageError(f"Cannot list {what} in {self.url}: the server goes on with the same page again.")
            if count > self._most_names:
                raise StorageError(
                    f"Cannot list {what} in {self.url}: there are more than {self._most_names} names, the limit.",
                    hint="If you trust it: mu2net config set limits.names NUMBER",
                )
            after = following

    def _path(self, key: str) -> str:
        root = self._backend.place.root
        return f"{root}/{check_key(key)}" if root else check_key(key)

    def _info(self, doing: str, key: str, patience: Patience | None = None) -> Info:
        path = self._path(key)
        return self._ask(doing, key, partial(self._backend.head, path), patience)

    def _is_same(self, key: str, data: bytes, patience: Patience) -> bool:
        """Returns whether ``key`` holds exactly ``data``; what a storage says of its MD5 counts only if it is right."""
        if len(data) > _READ_BACK_BYTES:
            info = self._info("read back", key, patience)
            if info.size != len(data) or info.md5 == md5(data, usedforsecurity=False).digest():
                return info.size == len(data)
        path, stop = self._path(key), len(data) + 1
        return self._ask("read back", key, partial(self._backend.get, path, stop=stop), patience) == data

    def _holds(self, key: str, data: bytes, cause: Exception, patience: Patience) -> bool | None:
        """Returns whether ``key`` holds exactly ``data``; None if it holds nothing."""
        try:
            return self._is_same(key, data, patience)
        except NotFoundError:
            return None
        except UnreadableError:
            return False  # of somebody else
        except AccessDeniedError as exc:
            raise StorageError(
                f"Cannot tell whether {key} was written to {self.url}: it may not be read back ({exc.message}).",
                hint="Grant the right to read what one writes, then run the same command again.",
            ) from cause

    def _ask(self, doing: str, key: str, call: Callable[[], T], patience: Patience | None = None) -> T:
        """Returns what ``call`` returns, tried again while the failure is a passing one."""
        patience = patience or self._patience()
        while True:
            result, failed = self._try(call)
            if failed is None:
                return cast("T", result)
            failure, cause = failed
            if failure.trouble not in _PASSING or not patience.again(failure.trouble, was_reached=self._was_reached):
                self._fail(doing, key, failure, cause, patience)

    def _try(self, call: Callable[[], T]) -> tuple[T | None, _Failed | None]:
        """Returns what ``call`` returns, or what went wrong."""
        try:
            result = call()
        except Exception as exc:  # noqa: BLE001 - the backend knows what its library's exceptions mean
            failure = self._backend.explained(exc)
            self._was_reached = self._was_reached or failure.trouble not in (Trouble.AWAY, Trouble.LOST)
            return None, (failure, exc)
        self._bucket_is_there = self._was_reached = True
        return result, None

    def _fail(
        self, doing: str, key: str, failure: Failure, cause: Exception, patience: Patience | None = None
    ) -> NoReturn:
        what = f"Cannot {doing} {key} in {self.url}"
        trouble = failure.trouble
        if trouble is Trouble.NOTHING and not self._bucket_is_there:
            trouble = self._look_for_bucket()
        if trouble in _MISSING and doing == "list":  # a folder that is not there is an empty one
            raise StorageError(f"{what}: {failure.reason}.", hint=self._endpoint_hint()) from cause
        if trouble in _MISSING:
            self._bucket_is_there = True
            raise NotFoundError(f"No {key} in {self.url}.") from cause
        if trouble is Trouble.NO_BUCKET:
            word, bucket = self._backend.bucket_word, self._backend.bucket
            raise StorageError(
                f"{what}: there is no {word} {bucket!r}.",
                hint=f"Create the {word}, or correct the URL. {self._endpoint_hint()}".strip(),
            ) from cause
        if trouble is Trouble.DENIED:
            used, _ = self._try(self._backend.credentials)
            words = f" Credentials: {used}." if used else ""
            denied = AccessDeniedError(f"{what}: {failure.reason}.{words}", hint=failure.hint)
            raise (unreadable(denied) if self._is_open and doing in _READING else denied) from cause
        if trouble is Trouble.EXPIRED:
            raise CredentialsExpiredError(f"{what}: {failure.reason}.", hint=failure.hint) from cause
        tried = f" ({patience})" if patience and patience.attempts > 0 else ""
        hint = failure.hint or (_AGAIN if trouble in _PASSING else None)
        raise StorageError(f"{what}: {failure.reason}{tried}.", hint=hint) from cause

    def _endpoint_hint(self) -> str:
        """Returns what may be wrong about the server that was named."""
        endpoint = self._backend.given.get("endpoint", "")
        path = endpoint.partition("://")[2].partition("/")[2]
        if not path:
            return ""
        server = endpoint.removesuffix(f"/{path}")
        return f"The endpoint has a path (/{path}), which few servers want: try --endpoint {server}"

    def _look_for_bucket(self) -> Trouble:
        _, failed = self._try(self._backend.look)
        missing = failed is not None and failed[0].trouble in (Trouble.NOTHING, Trouble.NO_BUCKET)
        return Trouble.NO_BUCKET if missing else Trouble.NO_KEY  # the right to look at buckets may be missing
