"""Whether manifests that are here are on a remote, too, with all they lead to: by what was seen of it, or by asking."""

from __future__ import annotations

from collections import Counter
from threading import Lock

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Kind, object_key
from mu2net_core.repo.remotes import Node, RemoteRepository, Seen

__all__ = ["Presence"]

_FEW = 16
"""So many of a kind are asked for one by one; then all of the kind are listed, at one request per 1,000."""


class Presence:
    """Tells which manifests are on a remote that do not change meanwhile; several threads may ask at once.

    Attributes:
        remote: which.
        seen: what it has by what was seen of it; nothing is asked for that.
    """

    def __init__(self, remote: RemoteRepository, seen: Seen) -> None:
        """Asks nothing yet."""
        self.remote, self.seen = remote, seen
        self._num_asked = Counter[Kind]()
        self._listed: dict[Kind, frozenset[str]] = {}
        self._lock = Lock()

    def was_seen(self, node: Node) -> bool:
        """Returns whether the remote has a manifest that is here, by what was seen of it."""
        try:
            return self.seen.has(node)
        except Mu2netError:  # something here is damaged or gone: fsck says so
            return False

    def has(self, node: Node) -> bool:
        """Returns whether a manifest is there, for which the remote is asked."""
        kind, oid = node
        with self._lock:
            self._num_asked[kind] += 1
            if self._num_asked[kind] > _FEW and kind not in self._listed:
                self._listed[kind] = frozenset(self.remote.objects.ids(kind))
        listed = self._listed.get(kind)
        return self.remote.store.exists(object_key(kind, oid)) if listed is None else oid in listed
