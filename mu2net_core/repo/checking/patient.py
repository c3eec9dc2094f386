"""A repository to check and to heal: one on this machine, or a remote."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import LIMITS, Kind, object_key
from mu2net_core.repo.core import (
    CONFIG,
    HeadState,
    ObjectDatabase,
    Refs,
    Remote,
    Repository,
    Tombstone,
    aside_name,
    is_config,
)
from mu2net_core.repo.exchange import check_known
from mu2net_core.repo.remotes import RemoteRepository, Tracking, look_at_refs, new_settings, read_purged, read_tracking
from mu2net_core.storage import Store, check_no_links, make_folder, translated

__all__ = ["Patient", "patient_here", "patient_there"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What a check and a repair need of a repository.

    Attributes:
        identity: of the repository.
        store: its bytes.
        objects: its objects.
        refs: its refs.
        remotes: where components may be that are not in it.
        is_partial: whether there may be such.
        known: what was last seen of its heads, tags and roots, or of remotes they were pushed to.
        name: what the remote is called, if it is elsewhere; likewise the next three.
        before: what was seen of it before.
        stones: tombstones that were seen there.
        near: a copy of its manifests at hand.
        settings: what goes in place of its settings, which are lost or damaged; None if they are not.
        trusts: whether an entry of a head, a tag, root or tombstone that others tell of may become one of this
            repository, given its key and bytes.
        healed: objects that were put in place, in order.
    """

    identity: str
    store: Store
    objects: ObjectDatabase
    refs: Refs
    remotes: tuple[Remote, ...] = ()
    is_partial: bool = False
    known: tuple[Tracking, ...] = ()
    name: str = ""
    before: Tracking | None = None
    stones: tuple[Tombstone, ...] = ()
    near: ObjectDatabase | None = None
    settings: bytes | None = None
    trusts: Callable[[str, bytes], bool] = lambda *_: True
    healed: list[tuple[Kind, str]] = field(default_factory=list, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether its bytes lie on this machine."""
        return self.folder is not None

    @property
    def folder(self) -> Path | None:
        """The folder it is; None if it is none."""
        file = self.store.local_path(CONFIG)
        return None if file is None else file.parent

    def seen(self, task: str) -> tuple[HeadState, ...]:
        """Returns where a head was last seen, in this repository if it is elsewhere, else on remotes."""
        return tuple(note.heads[task] for note in self.known if task in note.heads)

    def is_behind_link(self, key: str) -> bool:
        """Returns whether a folder on the way to ``key`` is a link, so that nothing can be put there."""
        try:
            self.store.local_path(key)
        except CorruptObjectError:
            return True
        return False

    def set_aside(self, key: str) -> None:
        """Takes a damaged file away, so that a good one can take its place; a folder keeps it in ``state/corrupt``."""
        file = self.store.local_path(key)
        if file is None or self.folder is None:
            self.store.delete(key)
            return
        target = self.folder / "state" / "corrupt" / aside_name(key)
        with translated("move aside", file):
            check_no_links(target, self.folder)
            if os.path.lexists(file):
                make_folder(target.parent)
                file.replace(target)

    def put(self, kind: Kind, oid: str, data: bytes) -> None:
        """Puts the right bytes of an object in place of damaged or missing ones."""
        key = object_key(kind, oid)
        if self.is_local:
            self.set_aside(key)
            self.objects.put_bytes(kind, data)
        else:
            self.store.refresh(key, data)
        self.objects.forget()
        self.healed.append((kind, oid))

    def replace(self, key: str, data: bytes) -> bool:
        """Puts ``data`` in place of a damaged or missing ref; returns False if that is what it was, or cannot be."""
        if self.is_behind_link(key) or self.holds(key, data):
            return False
        try:
            self.store.read(key, limit=len(data))
        except NotFoundError:
            return self.store.create(key, data)
        except CorruptObjectError:
            pass  # larger than it should be, or a link
        self.set_aside(key)
        return self.store.create(key, data)

    def holds(self, key: str, data: bytes) -> bool:
        """Returns whether a file is there with just these bytes."""
        try:
            return self.store.read(key, limit=len(data)) == data
        except (NotFoundError, CorruptObjectError):
            return False


def patient_here(repo: Repository) -> Patient:
    """Returns a repository on this machine."""
    remotes = tuple(repo.config.remotes.values())
    return Patient(
        identity=repo.identity,
        store=repo.store,
        objects=repo.objects,
        refs=repo.refs,
        remotes=remotes,
        is_partial=any(remote.partial for remote in remotes),
        known=tuple(read_tracking(repo.state, remote) for remote in remotes),
    )


def patient_there(remote: RemoteRepository, near: Repository) -> Patient:
    """Returns a remote; what the working copy ``near`` knows of it helps.

    Raises:
        NotFoundError: there is no repository, or not the one that was seen.
        ConflictError: it is another repository.
        InvalidInputError: its settings are of a future format.
    """
    seen = read_tracking(near.state, remote.remote)
    with suppress(CorruptObjectError):  # a link in place of a folder, which the examination names
        check_known(near, remote, seen, look_at_refs(remote.store, commits=True))
    is_seen = bool(seen.heads or seen.roots)
    lost = is_seen and not _has_settings(remote)
    return Patient(
        identity=near.identity,
        store=remote.store,
        objects=remote.objects,
        refs=remote.refs,
        is_partial=not lost and remote.is_partial(remote.config()),
        settings=new_settings(remote.remote, near.config) if lost else None,
        known=(seen,),
        name=remote.remote.name,
        before=seen,
        stones=read_purged(near.state, remote.remote),
        near=near.objects,
    )


def _has_settings(remote: RemoteRepository) -> bool:
    """Returns whether there are settings that can be read, of whatever format."""
    try:
        return is_config(remote.store.read(CONFIG, limit=LIMITS.config_bytes))
    except (NotFoundError, CorruptObjectError):
        return False
