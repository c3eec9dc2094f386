"""Stores that behave badly on purpose, around one that behaves."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from threading import Lock, local
from typing import Literal, TypeVar

from mu2net_core.errors import StorageError
from mu2net_core.storage import Store, open_store

__all__ = ["DistantStore", "FaultyStore", "LatencyStore", "Watched", "WrappedStore"]

T = TypeVar("T")


class WrappedStore:
    """Passes everything on to ``inner``, counts calls by method, and lets a subclass step in around each.

    Attributes:
        inner: the store that does the work.
        calls: number of calls by method name.
        log: method and key of every call, in order.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, str]] = []
        self._lock = Lock()  # transfers call from several threads

    @property
    def url(self) -> str:
        """The inner store's."""
        return self.inner.url

    def before(self, method: str, key: str) -> None:
        """Called before every call."""

    def after(self, method: str, key: str) -> None:
        """Called after every call that succeeded."""

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        """Returns the bytes at ``key``, if they are no more than ``limit``."""
        return self._pass("read", key, lambda: self.inner.read(key, limit=limit))

    def create(self, key: str, data: bytes) -> bool:
        """Creates ``key`` unless it exists."""
        return self._pass("create", key, lambda: self.inner.create(key, data))

    def list(self, prefix: str) -> Iterator[str]:
        """Yields every key below ``prefix``."""
        return self._pass("list", prefix, lambda: self.inner.list(prefix))

    def exists(self, key: str) -> bool:
        """Returns whether there are bytes at ``key``."""
        return self._pass("exists", key, lambda: self.inner.exists(key))

    def delete(self, key: str) -> None:
        """Removes ``key``."""
        return self._pass("delete", key, lambda: self.inner.delete(key))

    def size(self, key: str) -> int:
        """Returns the number of bytes at ``key``."""
        return self._pass("size", key, lambda: self.inner.size(key))

    def holds(self, key: str, data: bytes) -> bool:
        """Returns whether the bytes at ``key`` are ``data``."""
        return self._pass("holds", key, lambda: self.inner.holds(key, data))

    def modified(self, key: str) -> datetime:
        """Returns when ``key`` was last written."""
        return self._pass("modified", key, lambda: self.inner.modified(key))

    def refresh(self, key: str, data: bytes) -> None:
        """Writes ``data`` to ``key`` again."""
        return self._pass("refresh", key, lambda: self.inner.refresh(key, data))

    def local_path(self, key: str) -> Path | None:
        """Returns the file that holds ``key``, or None; not counted."""
        return self.inner.local_path(key)

    def _pass(self, method: str, key: str, call: Callable[[], T]) -> T:
        with self._lock:
            self.calls[method] += 1
            self.log.append((method, key))
        self.before(method, key)
        result = call()
        self.after(method, key)
        return result


class DistantStore(WrappedStore):
    """A folder that is reached as a bucket is: nobody sees its files."""

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002
        """Returns None."""
        return None


class LatencyStore(WrappedStore):
    """Takes ``seconds`` longer for every call."""

    def __init__(self, inner: Store, seconds: float, *, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(inner)
        self._seconds, self._sleep = seconds, sleep

    def before(self, method: str, key: str) -> None:  # noqa: ARG002
        """Waits."""
        self._sleep(self._seconds)


class FaultyStore(WrappedStore):
    """Fails at the call number ``at`` (from 1), before doing it or after: then the reply is lost.

    ``how="raise"`` raises StorageError; ``how="exit"`` ends the process at once, as ``kill -9`` would.
    """

    def __init__(
        self,
        inner: Store,
        *,
        at: int,
        how: Literal["raise", "exit"] = "raise",
        when: Literal["before", "after"] = "before",
        methods: frozenset[str] = frozenset({"create", "delete", "refresh"}),
    ) -> None:
        super().__init__(inner)
        self._at, self._how, self._when, self._methods = at, how, when, methods
        self._seen = 0
        self._mine = local()  # the number of the call a thread is busy with

    def before(self, method: str, key: str) -> None:
        """Counts, and fails if it is time."""
        if method in self._methods:
            with self._lock:
                self._seen += 1
                self._mine.number = self._seen
            self._fail("before", method, key)

    def after(self, method: str, key: str) -> None:
        """Fails if it is time."""
        if method in self._methods:
            self._fail("after", method, key)

    def _fail(self, moment: str, method: str, key: str) -> None:
        if self._mine.number != self._at or moment != self._when:
            return
        if self._how == "exit":
            os._exit(9)
        raise StorageError(f"Fault {moment} {method} of {key}.")


class Watched:
    """Opens stores, as ``connect`` and ``push`` are told to, that count what is asked of them.

    Attributes:
        stores: those it opened, in order.
    """

    def __init__(self, wrap: Callable[[Store], WrappedStore] = WrappedStore) -> None:
        self.stores: list[WrappedStore] = []
        self._wrap = wrap

    def __call__(self, url: str) -> Store:
        """Opens one."""
        self.stores.append(self._wrap(open_store(url)))
        return self.stores[-1]

    @property
    def calls(self) -> Counter[str]:
        """The number of calls by method name, of all stores."""
        return sum((store.calls for store in self.stores), Counter[str]())

    def created(self, prefix: str) -> list[str]:
        """Returns the keys below ``prefix`` that were created, or that somebody tried to create."""
        return [key for store in self.stores for how, key in store.log if how == "create" and key.startswith(prefix)]
