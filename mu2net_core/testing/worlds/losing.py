"""What a remote can lose, a remote that loses it, and what is asked about that again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mu2net_core.objects import KINDS
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking import examine, patient_there
from mu2net_core.repo.core import FsckReport, entry_key, is_epoch_key
from mu2net_core.repo.exchange import GuardedSource
from mu2net_core.repo.remotes import connect
from mu2net_core.storage import Store, open_store

__all__ = ["BUCKET", "FOLDER", "LOSSES", "NOON", "Place", "check", "contents", "lost_keys", "seconds"]

FOLDER, BUCKET = "folder, looked at just now", "bucket, looked at long ago"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Lost = Callable[[list[str]], Iterable[str]]


def _below(prefix: str) -> Lost:
    return lambda keys: [key for key in keys if key.startswith(prefix)]


def _first(prefix: str) -> Lost:
    return lambda keys: list(_below(prefix)(keys))[:1]


def _keys(*names: str) -> Lost:
    return lambda keys: [key for key in keys if key in names]


LOSSES: dict[str, Lost] = {
    **{f"one {kind}": _first(f"objects/{kind}/") for kind in KINDS},
    **{f"every {kind}": _below(f"objects/{kind}/") for kind in KINDS},
    "all objects": _below("objects/"),
    "the first entry": _keys(entry_key("a", 1)),
    "a middle entry": _keys(entry_key("a", 3)),
    "the last entry": _keys(entry_key("a", 5)),
    "the last entries": _keys(*(entry_key("a", number) for number in (3, 4, 5))),
    "entries here and there": _keys(*(entry_key("a", number) for number in (1, 3)), entry_key("b/c", 5)),
    "a whole head": _below("refs/heads/a/"),
    "all heads": _below("refs/heads/"),
    "a tag": _below("refs/tags/"),
    "a root": _below("refs/roots/"),
    "the epoch": _below("refs/epoch/"),
    "config.toml": _keys("config.toml"),
    "all refs": _below("refs/"),
    "all but the epoch": lambda keys: [key for key in keys if not is_epoch_key(key)],
}
"""What is lost of the keys of the remote that the fixture ``shared`` makes, by what it is called."""


def seconds(after: float) -> Callable[[], datetime]:
    """Returns a clock that shows so many seconds after noon."""
    return lambda: NOON + timedelta(seconds=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A remote, and the time at which something is lost there, after it was looked at at noon.

    Attributes:
        remote: it.
        clock: shows that time.
    """

    remote: Remote
    clock: Callable[[], datetime]

    @property
    def store(self) -> Store:
        """What is there."""
        return open_store(self.remote.url)


def contents(store: Store) -> dict[str, bytes]:
    """Returns all files of a storage."""
    return {key: store.read(key) for key in store.list("")}


def check(repo: Repository, remote: Remote, source: Repository | None = None) -> FsckReport:
    """Returns what ``fsck --remote`` finds, after repairs from ``source`` if there is one."""
    reached = connect(remote)
    guarded = None if source is None else GuardedSource(source, repo, reached.audience)
    return examine(patient_there(reached, repo), source=guarded)


def lost_keys(place: Place, name: str) -> set[str]:
    """Deletes what ``name`` says; returns the keys of epochs in it: another one is as good."""
    gone = list(LOSSES[name](list(place.store.list(""))))
    assert gone
    for key in gone:
        place.store.delete(key)
    return {key for key in gone if is_epoch_key(key)}
