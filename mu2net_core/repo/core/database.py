"""Objects by id: stored once, and checked against their id on every read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from mu2net_core.errors import (
    AlreadyExistsError,
    CorruptObjectError,
    InternalError,
    InvalidInputError,
    NotFoundError,
)
from mu2net_core.objects import (
    KINDS,
    LIMITS,
    Commit,
    Kind,
    Limits,
    Model,
    Snapshot,
    Task,
    decode_strict,
    encode,
    hash_bytes,
    object_key,
    parse_object_key,
)
from mu2net_core.repo.core.format import decode_formatted
from mu2net_core.repo.core.hints import repair_hint
from mu2net_core.repo.core.snapshots import complete, snapshot_chain
from mu2net_core.repo.core.tombstones import Purged
from mu2net_core.storage import Store, make_folder, open_itself

if TYPE_CHECKING:
    from mu2net_core.objects import Component, Label

__all__ = ["MANIFESTS", "Manifest", "ObjectDatabase", "label_of"]

Manifest = Model | Task | Commit | Snapshot
T = TypeVar("T", bound=Manifest)

MANIFESTS: dict[Kind, type[Manifest]] = {"model": Model, "task": Task, "commit": Commit, "snapshot": Snapshot}
_KIND_OF: dict[type[Manifest], Kind] = {value: kind for kind, value in MANIFESTS.items()}
_CACHED = 4096
_CACHED_BYTES = 64 * 2**20


class ObjectDatabase:
    """The objects of one repository.

    Attributes:
        store: where the bytes are.
        fetch_missing: asked for the bytes of an object that is not here, in a partial clone; what it returns is
            checked and kept. It raises NotFoundError if it has none either.
        purged: returns what was purged; asked where something is missing, to say so.
        limits: how much of an object is accepted.
        remote: its name as a remote; None for the one at hand.
    """

    def __init__(
        self,
        store: Store,
        fetch_missing: Callable[[Kind, str], bytes] | None = None,
        *,
        quarantine: Path | None = None,
        limits: Limits = LIMITS,
        remote: str | None = None,
    ) -> None:
        """Opens the objects in ``store``; a damaged file is moved aside into the folder ``quarantine``, if given."""
        self.store = store
        self.fetch_missing = fetch_missing
        self.purged: Callable[[], Purged] = Purged
        self.limits = limits
        self.remote = remote
        self._quarantine = quarantine
        self._cache: dict[str, tuple[Manifest, int]] = {}
        self._cached_bytes = 0
        self._caching = Lock()
        self._labels: dict[str, Label] = {}

    def put(self, value: Manifest) -> str:
        """Stores a model, task, commit or snapshot and returns its id.

        Raises:
            InternalError: it could not be read again: nothing was stored.
        """
        kind, data = _KIND_OF[type(value)], encode(value)
        try:
            decode_strict(data, type(value), what=f"the new {kind}", limits=self.limits)
        except CorruptObjectError as exc:
            raise InternalError(f"A {kind} was not stored, for it could not be read again. {exc.message}") from exc
        return self.put_bytes(kind, data)

    def put_bytes(self, kind: Kind, data: bytes) -> str:
        """Stores the canonical bytes of an object and returns their id; a damaged copy there is replaced.

        One that is there already counts as written now: a garbage collection keeps what is new.

        Raises:
            CorruptObjectError: a damaged copy is there and cannot be moved aside.
        """
        oid = hash_bytes(data)
        key = object_key(kind, oid)
        try:
            if not self.store.create(key, data):
                self.store.refresh(key, data)
        except AlreadyExistsError as exc:
            if self._set_aside(kind, oid) is None:
                raise CorruptObjectError(
                    f"The {kind} {oid} in {self.store.url} is damaged: its bytes have another hash.",
                    hint=repair_hint(self.remote),
                ) from exc
            self.store.create(key, data)
        return oid

    def put_decoded(self, value: Manifest, data: bytes) -> str:
        """Stores the bytes that ``value`` was decoded from, which is then at hand; returns their id."""
        oid = self.put_bytes(_KIND_OF[type(value)], data)
        self._remember(oid, value, len(data))
        return oid

    def put_labelled(self, data: bytes) -> str:
        """Stores the bytes of a component that arrived and returns their id; its arrays are not looked at.

        Raises:
            CorruptObjectError: they are no component's.
        """
        label = label_of(data)
        oid = self.put_bytes("component", data)
        self._labels[oid] = label
        return oid

    def put_component(self, component: Component) -> tuple[str, int]:
        """Stores a component and returns its id and its size in bytes."""
        from mu2net_core.codec import encode_component

        data = encode_component(component)
        return self.put_bytes("component", data), len(data)

    def component(self, oid: str) -> Component:
        """Returns a component; its arrays are read-only, and views of the file where that is local."""
        from mu2net_core.codec import decode_component

        return decode_component(self._mapped(oid) or self.read("component", oid), limits=self.limits)

    def label(self, oid: str) -> Label | None:
        """Returns whose data trained a component that lies on this machine; None if it is not here.

        Its bytes are not hashed: what is sent anywhere is looked at once more.

        Raises:
            CorruptObjectError: what is here is no component.
        """
        if oid not in self._labels:
            view = self._view(oid)
            if view is None:
                return None
            self._labels[oid] = label_of(view)
        return self._labels[oid]

    def model(self, oid: str) -> Model:
        """Returns a model's manifest."""
        return self._value("model", oid, Model)

    def task(self, oid: str) -> Task:
        """Returns a task."""
        return self._value("task", oid, Task)

    def commit(self, oid: str) -> Commit:
        """Returns a commit."""
        return self._value("commit", oid, Commit)

    def snapshot(self, oid: str) -> Snapshot:
        """Returns a snapshot with all its heads, whatever it is stored on top of."""
        return complete(snapshot_chain(oid, self.stored_snapshot))

    def stored_snapshot(self, oid: str) -> Snapshot:
        """Returns a snapshot as it is stored: perhaps only what differs from its base."""
        return self._value("snapshot", oid, Snapshot)

    def has(self, kind: Kind, oid: str) -> bool:
        """Returns whether the object is in the store, without reading or fetching it."""
        return self.store.exists(object_key(kind, oid))

    def max_bytes(self, kind: Kind) -> int:
        """Returns how many bytes an object of that kind may have."""
        return self.limits.max_bytes(kind)

    def read(self, kind: Kind, oid: str) -> bytes:
        """Returns an object's bytes, which hash to ``oid``.

        Raises:
            NotFoundError: neither the store nor ``fetch_missing`` has it.
            CorruptObjectError: the bytes do not hash to ``oid`` (the bad file was moved aside), or are too many.
        """
        try:
            data = self.store.read(object_key(kind, oid), limit=self.max_bytes(kind))
        except NotFoundError as exc:
            return self._fetch(kind, oid, exc)
        if hash_bytes(data) == oid:
            return data
        data = self.store.read(object_key(kind, oid), limit=self.max_bytes(kind))  # reading fails, too
        if hash_bytes(data) == oid:
            return data
        moved = self._set_aside(kind, oid)
        where = f" The bad copy was moved to {moved}." if moved else ""
        raise CorruptObjectError(
            f"The {kind} {oid} in {self.store.url} is damaged: its bytes have another hash.{where}",
            hint=repair_hint(self.remote),
        )

    def ids(self, kind: Kind) -> Iterator[str]:
        """Yields the ids of all objects of a kind, sorted; lists the store."""
        for key in self.store.list(f"objects/{kind}"):
            parsed = parse_object_key(key)
            if parsed is not None:
                yield parsed[1]

    def resolve_prefix(self, kind: Kind | None, prefix: str) -> tuple[Kind, str]:
        """Returns kind and id of the only object whose id starts with ``prefix``, of ``kind`` or of any.

        Raises:
            NotFoundError: there is none, or ``prefix`` cannot be the beginning of an id.
            InvalidInputError: there are several.
        """
        kinds = KINDS if kind is None else (kind,)
        if len(prefix) < 4 or len(prefix) > 64 or prefix.strip("0123456789abcdef"):
            raise NotFoundError(f"{prefix!r} is not the beginning of an id: expected 4 to 64 lower-case hex digits.")
        if len(prefix) == 64:
            found = [(k, prefix) for k in kinds if self.has(k, prefix)]
        else:
            found = [(k, oid) for k in kinds for oid in self._below(k, prefix) if oid.startswith(prefix)]
        if len(found) > 1:
            some = ", ".join(f"{k} {oid[:16]}" for k, oid in found[:5])
            raise InvalidInputError(
                f"{prefix!r} is the beginning of {len(found)} ids: {some}.", hint="Give more digits."
            )
        if not found:
            for gone in self.purged().starting(prefix):
                self._check_purged(*gone)
            raise NotFoundError(f"No {kind or 'object'} with an id that starts with {prefix!r} in {self.store.url}.")
        return found[0]

    def forget(self) -> None:
        """Forgets what was read, because some of it may have been deleted."""
        with self._caching:
            self._cache.clear()
            self._cached_bytes = 0
            self._labels.clear()

    def _check_purged(self, kind: Kind, oid: str) -> None:
        """Raises NotFoundError if an object that is missing was purged."""
        task = self.purged().lists((kind, oid))
        if task is not None:
            raise NotFoundError(
                f"The {kind} {oid[:16]} was purged with the task {task}.",
                hint=f"What is left of it: mu2net reflog {task}. Models that learned from it stay.",
            )

    def _below(self, kind: Kind, prefix: str) -> Iterator[str]:
        for key in self.store.list(f"objects/{kind}/{prefix[:2]}"):
            parsed = parse_object_key(key)
            if parsed is not None:
                yield parsed[1]

    def _value(self, kind: Kind, oid: str, expected: type[T]) -> T:
        cached = self._cache.get(oid)
        if cached is not None and isinstance(cached[0], expected):
            return cached[0]
        data = self.read(kind, oid)
        value = decode_formatted(expected, data, what=f"{kind} {oid}", limits=self.limits)
        self._remember(oid, value, len(data))
        return value

    def _remember(self, oid: str, value: Manifest, size: int) -> None:
        """Keeps a manifest in memory, and drops the oldest ones: whoever walks a history is past them."""
        with self._caching:
            self._cached_bytes += size - self._cache.pop(oid, (value, 0))[1]
            self._cache[oid] = (value, size)
            while len(self._cache) > _CACHED or self._cached_bytes > _CACHED_BYTES:
                self._cached_bytes -= self._cache.pop(next(iter(self._cache)))[1]

    def _mapped(self, oid: str) -> memoryview | None:
        """Returns a component's file, mapped and checked; None if there is no good local file to map."""
        view = self._view(oid, used=True)
        return view if view is not None and hash_bytes(view) == oid else None

    def _view(self, oid: str, *, used: bool = False) -> memoryview | None:
        """Returns a component's file, mapped; None if there is no local file to map, or it is too large.

        ``used`` notes that it was, so that a bounded cache knows.
        """
        path = self.store.local_path(object_key("component", oid))
        if path is None:
            return None
        try:
            with open(path, "rb", opener=open_itself) as file:
                status = os.fstat(file.fileno())
                if not S_ISREG(status.st_mode) or status.st_size > self.limits.component_bytes:
                    return None  # reading it says what is wrong
                view = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
                if used:
                    with suppress(OSError):  # somebody else's file, or a disk that cannot be written
                        os.utime(file.fileno())
        except (OSError, ValueError):
            return None  # missing or empty: reading it says what is wrong
        return view

    def _fetch(self, kind: Kind, oid: str, missing: NotFoundError) -> bytes:
        """Returns an object that is not here from elsewhere, and keeps it."""
        try:
            data = None if self.fetch_missing is None else self.fetch_missing(kind, oid)
        except NotFoundError:
            self._check_purged(kind, oid)
            raise
        if data is None:
            self._check_purged(kind, oid)
            raise NotFoundError(f"No {kind} {oid} in {self.store.url}.", hint=repair_hint(self.remote)) from missing
        if hash_bytes(data) != oid:
            raise CorruptObjectError(
                f"What the remote sent as {kind} {oid} has another hash.", hint=repair_hint(self.remote)
            )
        self.put_bytes(kind, data)
        return data

    def _set_aside(self, kind: Kind, oid: str) -> Path | None:
        """Moves a damaged file out of the way, so that a good copy can take its place; returns where to."""
        source = self.store.local_path(object_key(kind, oid))
        if source is None or self._quarantine is None:
            return None
        target = self._quarantine / f"{kind}-{source.parent.name}{source.name}"
        try:
            make_folder(self._quarantine, sync=False)
            source.replace(target)
        except OSError:
            return None  # a read-only disk: the error that follows still names the object
        return target


def label_of(data: bytes | memoryview) -> Label:
    """Returns whose data trained the component that is in ``data``.

    Raises:
        CorruptObjectError: it is no component.
    """
    from mu2net_core.codec import read_label

    return read_label(data)
