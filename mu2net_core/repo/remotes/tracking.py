"""What this working copy last saw of each remote: in ``state/remotes``, a file each, called after its name's hash.

Only a memory, never an authority: it saves questions. Losing it costs one listing. That others moved on shows when an
entry cannot be created; that the remote is behind shows when it is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import decode, encode, file_name
from mu2net_core.repo.core import HeadState, Remote, Tombstone
from mu2net_core.storage import read_if_there, replace_file, translated

__all__ = ["PAGE", "Tracking", "forget_tracking", "read_purged", "read_tracking", "write_purged", "write_tracking"]

_FRESH = timedelta(seconds=30)
"""How long one relies on a look at the remote. A purge waits twice that between telling and deleting."""
PAGE = 1_000
"""So many files one request lists. A remote that had more is big: a push with something to send looks at it briefly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """The refs of a remote as they were last seen.

    Attributes:
        url: of the remote they belong to; a remote that moved is another one.
        identity: of the repository that was there; None before it was looked at.
        heads: newest entry met, by task.
        tags: snapshot ids by name.
        roots: model ids by name.
        epoch: its epoch then; None if it had none.
        checked_at: when it was looked at, briefly or all of it, UTC and ISO 8601; empty for never.
        listed_at: when all of it was looked at, likewise.
        num_files: how many it had then.
        newest: the task of the newest entry met; empty for none.
        seen_at: when all its heads and tags were looked at, likewise.
        purged_heads: where the heads were before their tasks were purged there, by task.
        replaced: where the heads were before other logs took their place, by task.
        unread: tasks with tombstones there that could not be read.
        unfinished: whether a push began to send and did not come to its end.
        lost: what of all this was not there any more when it was last looked for, in words.
    """

    url: str
    identity: str | None = None
    heads: Mapping[str, HeadState] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    roots: Mapping[str, str] = field(default_factory=dict)
    epoch: str | None = None
    checked_at: str = ""
    listed_at: str = ""
    num_files: int = 0
    newest: str = ""
    seen_at: str = ""
    purged_heads: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    unfinished: bool = False
    lost: tuple[str, ...] = ()

    @property
    def is_big(self) -> bool:
        """Whether looking at all of it takes several requests."""
        return self.num_files > PAGE

    @property
    def names(self) -> dict[str, str]:
        """What its tags and roots named, by key."""
        tags = {f"refs/tags/{name}": oid for name, oid in self.tags.items()}
        return tags | {f"refs/roots/{name}": oid for name, oid in self.roots.items()}

    def with_heads(self, states: Iterable[HeadState], *, newest: str = "") -> Tracking:
        """Returns a copy that knows more entries, one of a task each, and perhaps which task has the newest of all."""
        heads = {**self.heads, **{state.task: state for state in states}}
        return replace(self, heads=heads, newest=newest or self.newest)

    def with_replaced(self, tasks: Iterable[str]) -> Tracking:
        """Returns a copy that keeps in mind where heads were whose logs are other ones now."""
        return replace(self, replaced={**self.replaced, **{task: self.heads[task].commit for task in tasks}})

    def without_head(self, task: str) -> Tracking:
        """Returns a copy that knows nothing of a head."""
        return replace(self, heads={name: state for name, state in self.heads.items() if name != task})

    def with_tag(self, name: str, snapshot_id: str) -> Tracking:
        """Returns a copy that knows one more tag."""
        return replace(self, tags={**self.tags, name: snapshot_id})

    def without_names(self, keys: Collection[str]) -> Tracking:
        """Returns a copy that knows nothing of some tags and roots, given their keys."""
        tags = {name: oid for name, oid in self.tags.items() if f"refs/tags/{name}" not in keys}
        roots = {name: oid for name, oid in self.roots.items() if f"refs/roots/{name}" not in keys}
        return replace(self, tags=tags, roots=roots)

    def with_root(self, name: str, model_id: str) -> Tracking:
        """Returns a copy that knows one more root."""
        return replace(self, roots={**self.roots, name: model_id})

    def checked(self, epoch: str | None, now: datetime | None) -> Tracking:
        """Returns a copy that was looked at just now, and had that epoch."""
        return replace(self, epoch=epoch, checked_at=_text(now))

    def listed(self, num_files: int, now: datetime | None) -> Tracking:
        """Returns a copy all of which was looked at just now, and had so many files."""
        return replace(self, listed_at=_text(now), num_files=num_files)

    def seen(self, now: datetime | None) -> Tracking:
        """Returns a copy whose heads and tags were all looked at just now."""
        return replace(self, seen_at=_text(now))

    def is_fresh(self, now: datetime | None) -> bool:
        """Returns whether the remote was looked at so shortly before ``now`` that it need not be again."""
        return self._is_recent(self.checked_at, now)

    def was_listed(self, now: datetime | None) -> bool:
        """Returns whether all of it was looked at so shortly before ``now``."""
        return self._is_recent(self.listed_at, now)

    def _is_recent(self, then: str, now: datetime | None) -> bool:
        if now is None or not then or self.epoch is None or self.lost:
            return False
        try:
            return timedelta(0) <= now - datetime.fromisoformat(then) < _FRESH
        except (TypeError, ValueError):
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tombstones:
    url: str
    tombstones: tuple[Tombstone, ...]


def read_tracking(state: Path, remote: Remote) -> Tracking:
    """Returns what is known of ``remote``; nothing if it was never met, moved, or the note is damaged.

    Args:
        state: the folder of local state of the working copy.
        remote: whose note to read.
    """
    nothing = Tracking(url=remote.url)
    data = read_if_there(_file(state, remote.name))
    try:
        known = decode(data or b"", Tracking, what=f"what is known of {remote.name}")
    except CorruptObjectError:
        return nothing
    return known if known.url == remote.url else nothing


def write_tracking(state: Path, name: str, tracking: Tracking) -> None:
    """Stores what is known of the remote called ``name``."""
    replace_file(_file(state, name), encode(tracking))


def read_purged(state: Path, remote: Remote) -> tuple[Tombstone, ...]:
    """Returns the tombstones that were seen on ``remote``."""
    data = read_if_there(_purged_file(state, remote.name))
    try:
        known = decode(data or b"", _Tombstones, what=f"what was purged from {remote.name}")
    except CorruptObjectError:
        return ()
    return known.tombstones if known.url == remote.url else ()


def write_purged(state: Path, remote: Remote, tombstones: Iterable[Tombstone]) -> None:
    """Stores the tombstones seen on ``remote``."""
    stones = tuple(tombstones)
    if stones != read_purged(state, remote):
        replace_file(_purged_file(state, remote.name), encode(_Tombstones(url=remote.url, tombstones=stones)))


def forget_tracking(state: Path, name: str) -> None:
    """Removes what is known of the remote called ``name``; nothing known is fine."""
    for file in (_file(state, name), _purged_file(state, name)):
        with translated("delete", file):
            file.unlink(missing_ok=True)


def _text(now: datetime | None) -> str:
    return "" if now is None else now.astimezone(UTC).isoformat()


def _file(state: Path, name: str) -> Path:
    return state / "remotes" / f"{file_name(name)}.json"


def _purged_file(state: Path, name: str) -> Path:
    return state / "remotes" / f"{file_name(name)}.purged"
