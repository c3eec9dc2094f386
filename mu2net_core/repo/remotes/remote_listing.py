"""What a remote has, by one listing: whether all that was seen of it before is still there shows without reading.

Or, of a big one, by a few reads: whether it was brought back from a backup, or is another one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from types import MappingProxyType
from typing import Literal

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.objects import LIMITS, object_key
from mu2net_core.repo.core import (
    CONFIG,
    EPOCHS,
    is_config,
    is_current,
    is_epoch_key,
    parse_entry_key,
    parse_tombstone_key,
)
from mu2net_core.repo.remotes.closure import Node
from mu2net_core.repo.remotes.remotes import RemoteRepository
from mu2net_core.repo.remotes.tracking import Tracking
from mu2net_core.storage import Store, is_key, open_itself

__all__ = ["Extent", "Sight", "is_as_seen", "is_damaged", "look", "look_at_refs"]

Extent = Literal["all", "listed", "brief", "recent"]
"""What was looked at: all there is; that, but shortly before; the little that tells of a backup; or that before."""

_LEAST: Mapping[str, int] = MappingProxyType(
    {"refs/heads/": 104, "refs/purged/": 178, "refs/tags/": 65, "refs/roots/": 65, f"{EPOCHS}/": 33}
)
"""The bytes that refs have at least: the first entry of a head, a tombstone, an id or an epoch's name and a newline."""


@dataclass(frozen=True)
class Sight:
    """The keys that a listing named.

    Attributes:
        keys: all of them, but for the damaged ones.
        damaged: those of files that hold nothing of what was in them: as good as gone. Only in a folder does that show.
    """

    keys: frozenset[str]
    damaged: frozenset[str] = frozenset()

    @cached_property
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

    @cached_property
    def gaps(self) -> Mapping[str, int]:
        """The first missing entry of every log that has later ones."""
        broken = {task: found for task, found in self.numbers.items() if max(found) > len(found)}
        return {task: next(n for n in count(1) if n not in found) for task, found in broken.items()}

    def newest(self, task: str) -> int:
        """Returns the number of the newest entry of a head, 0 if there is none."""
        return max(self.numbers.get(task, ()), default=0)

    def missing(self, task: str, newest: int) -> tuple[int, ...]:
        """Returns which of the entries of a head up to ``newest`` are not there, or the first before later ones."""
        lost = set(range(1, newest + 1)) - self.numbers.get(task, frozenset())
        return tuple(sorted(lost | ({self.gaps[task]} if task in self.gaps else set())))

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
    """Returns whether a file of a folder holds nothing of what was in it: empty or cut off, or settings that are none.

    A disk was full, or the power went. Of an object only that it is empty shows without reading it.
    """
    with suppress(Mu2netError):  # it lies behind a link or has no proper name: another fault
        file = store.local_path(key)
        return file is not None and _holds_nothing(str(file), key)
    return False


def _holds_nothing(file: str, key: str) -> bool:
    """Returns whether the file of ``key`` is damaged so that it shows without reading it."""
    try:
        info = os.lstat(file)
        if not stat.S_ISREG(info.st_mode):
            return False  # what is no file is another fault, and may have no end
        if key == CONFIG:
            return info.st_size > LIMITS.config_bytes or not is_config(_content(file))
        return info.st_size < next((least for folder, least in _LEAST.items() if key.startswith(folder)), 1)
    except OSError:
        return False  # it is not there, or may not be read: another fault


def _content(file: str) -> bytes:
    """Returns what a file holds, not one that a link leads to, up to the limit of settings."""
    with open(file, "rb", opener=open_itself) as opened:
        return opened.read(LIMITS.config_bytes)


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
    """Returns what was listed; in a folder, where no listing goes through a link, each file is looked at once."""
    settings = store.local_path(CONFIG)
    if settings is None:
        return Sight(keys)
    root = str(settings.parent)
    ours = (key for key in keys if key.startswith(("objects/", "refs/")) or key == CONFIG)
    damaged = frozenset(key for key in ours if is_key(key) and _holds_nothing(f"{root}/{key}", key))
    return Sight(keys - damaged, damaged)


def _by_name(places: Iterable[tuple[str, int]]) -> Mapping[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for name, number in places:
        found.setdefault(name, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}
