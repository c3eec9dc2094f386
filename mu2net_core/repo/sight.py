"""What a remote has, by one listing: whether all that was seen of it before is still there shows without reading.

Or, of a big one, by a few reads: whether it was brought back from a backup, or is another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError
from mu2net_core.objects import LIMITS, object_key
from mu2net_core.repo.closure import Node
from mu2net_core.repo.config import parse_toml
from mu2net_core.repo.epoch import EPOCHS, is_current, is_epoch_key
from mu2net_core.repo.refs import parse_entry_key, parse_tombstone_key
from mu2net_core.repo.remotes import RemoteRepository
from mu2net_core.repo.repository import CONFIG
from mu2net_core.repo.tracking import Tracking
from mu2net_core.storage import Store

__all__ = ["Extent", "Sight", "is_as_seen", "is_config", "is_damaged", "look", "look_at_refs"]

Extent = Literal["all", "listed", "brief", "recent"]
"""What was looked at: all there is; that, but shortly before; the little that tells of a backup; or that before."""


@dataclass(frozen=True)
class Sight:
    """The keys that a listing named.

    Attributes:
        keys: all of them, but for the damaged ones.
        damaged: those of files that hold nothing of what was in them: as good as gone. Only of a folder is that seen.
    """

    keys: frozenset[str]
    damaged: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All keys, those of damaged files included."""
        return self.keys | self.damaged

    @cached_property
    def numbers(self) -> Mapping[str, frozenset[int]]:
        """The numbers of the entries of every head."""
        return _by_name(place for key in self.keys if (place := parse_entry_key(key)) is not None)

    @cached_property
    def num_stones(self) -> Mapping[str, int]:
        """How many tombstones each task has."""
        places = (place for key in self.keys if (place := parse_tombstone_key(key)) is not None)
        return {task: len(numbers) for task, numbers in _by_name(places).items()}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of a repository but perhaps its settings and an epoch."""
        return not self.has_refs and not any(key.startswith("objects/") for key in self.keys)

    @property
    def has_refs(self) -> bool:
        """Whether there is any head, tag, root or tombstone."""
        return any(key.startswith("refs/") and not is_epoch_key(key) for key in self.keys)

    @property
    def has_epoch(self) -> bool:
        """Whether there is any epoch."""
        return any(is_epoch_key(key) for key in self.keys)

    def is_in_epoch(self, epoch: str | None) -> bool:
        """Returns whether an epoch is there; None is none."""
        return epoch is not None and f"{EPOCHS}/{epoch}" in self.keys

    def has(self, node: Node) -> bool:
        """Returns whether an object was listed."""
        return object_key(*node) in self.keys


def look(store: Store) -> Sight:
    """Returns all that is in ``store``: one request per 1,000 files."""
    return _sight(store, frozenset(store.list("")))


def look_at_refs(store: Store, *, commits: bool) -> Sight:
    """Returns the refs in ``store``, and the ``commits`` if asked for: at least one request for either."""
    return _sight(store, frozenset(store.list("refs")).union(store.list("objects/commit") if commits else ()))


def is_damaged(store: Store, key: str) -> bool:
    """Returns whether a file of a folder is empty, as after a full disk, or is to be the settings and is none."""
    try:
        file = store.local_path(key)
        size = 1 if file is None else file.stat().st_size
        if file is None or (size and key != CONFIG):
            return False
        return key != CONFIG or size > LIMITS.config_bytes or not is_config(file.read_bytes())
    except (OSError, Mu2netError):
        return False  # it is not there, may not be read or has no proper name: another fault


def is_as_seen(remote: RemoteRepository, tracking: Tracking) -> bool:
    """Returns whether a remote is in the epoch it was, and has the newest entry that was met: two requests.

    What is brought back from a backup lacks that entry. What else is gone does not show.
    """
    newest = tracking.heads.get(tracking.newest)
    if newest is None or tracking.epoch is None or not is_current(remote.store, tracking.epoch):
        return False
    try:
        return remote.refs.holds(newest)
    except CorruptObjectError:
        return False


def _sight(store: Store, keys: frozenset[str]) -> Sight:
    is_folder = store.local_path(CONFIG) is not None
    ours = (key for key in keys if key.startswith(("objects/", "refs/")) or key == CONFIG) if is_folder else ()
    damaged = frozenset(key for key in ours if is_damaged(store, key))
    return Sight(keys - damaged, damaged)


def is_config(data: bytes) -> bool:
    """Returns whether these are the settings of a repository, of whatever format."""
    try:
        return type(parse_toml(data, CONFIG).get("format")) is int
    except (CorruptObjectError, InvalidInputError):
        return False


def _by_name(places: Iterable[tuple[str, int]]) -> Mapping[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for name, number in places:
        found.setdefault(name, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}
