"""Whether manifests that are here are on a remote, too, with all they lead to: by what was seen of it, or by asking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from threading import Lock

from mu2net_core.objects import Kind, object_key
from mu2net_core.repo.core import ObjectDatabase
from mu2net_core.repo.history import ancestry
from mu2net_core.repo.remotes import Node, RemoteRepository, Tracking

__all__ = ["Presence", "Seen"]

_FEW = 16
"""So many of a kind are asked for one by one; then all of the kind are listed, at one request per 1,000."""


class Seen:
    """What a remote has by its heads and roots as they were seen: whatever these lead to is there.

    No more is read than it takes; of the heads that one first which had the newest entry: what comes builds on that.
    """

    def __init__(self, objects: ObjectDatabase, tracking: Tracking) -> None:
        """Reads nothing yet."""
        self._objects = objects
        self._tips = {task: state.commit for task, state in tracking.heads.items()}
        self._commits = frozenset(self._tips.values())
        self._roots = frozenset(tracking.roots.values())
        self._snapshots = set[str]()
        self._unread = iter(sorted(self._tips, key=lambda task: task != tracking.newest))
        self._histories: dict[str | None, tuple[frozenset[str], frozenset[str | None]]] = {}

    def has(self, node: Node) -> bool:
        """Returns whether a commit, model or snapshot, which is here, is there for sure."""
        kind, oid = node
        if kind == "commit":
            return oid in self._commits or oid in self._history(self._objects.commit(oid).task)[0]
        if kind == "model":
            return oid in self._roots or oid in self._history(self._objects.model(oid).task)[1]
        return kind == "snapshot" and (oid in self._snapshots or any(oid in more for more in self._read_on()))

    def _history(self, task: str | None) -> tuple[frozenset[str], frozenset[str | None]]:
        """Returns the commits of a task that are there, and the models they retain."""
        if task not in self._histories:
            tip = self._tips.get(task) if task is not None else None
            is_here = tip is not None and self._objects.has("commit", tip)
            commits = frozenset(ancestry(self._objects, [tip])) if tip is not None and is_here else frozenset[str]()
            self._histories[task] = commits, frozenset(self._objects.commit(oid).model for oid in commits)
        return self._histories[task]

    def _read_on(self) -> Iterator[set[str]]:
        """Yields the snapshots that further heads' commits name, those they are based on included."""
        for task in self._unread:
            found = set[str]()
            if self._objects.has("commit", self._tips[task]):
                for snapshot in self._objects.commit(self._tips[task]).snapshots:
                    oid: str | None = snapshot
                    while oid is not None and oid not in self._snapshots and oid not in found:
                        found.add(oid)
                        oid = self._objects.stored_snapshot(oid).base
            self._snapshots |= found
            yield found


class Presence:
    """Tells which manifests are on a remote that do not change meanwhile; several threads may ask at once.

    Attributes:
        remote: which.
    """

    def __init__(self, remote: RemoteRepository) -> None:
        """Asks nothing yet."""
        self.remote = remote
        self._num_asked = Counter[Kind]()
        self._listed: dict[Kind, frozenset[str]] = {}
        self._lock = Lock()

    def has(self, node: Node) -> bool:
        """Returns whether a manifest is there."""
        kind, oid = node
        with self._lock:
            self._num_asked[kind] += 1
            if self._num_asked[kind] > _FEW and kind not in self._listed:
                self._listed[kind] = frozenset(self.remote.objects.ids(kind))
        listed = self._listed.get(kind)
        return self.remote.store.exists(object_key(kind, oid)) if listed is None else oid in listed
