"""A repository that is open: its objects, refs, settings and local state."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from mu2net_core.objects import LIMITS, Limits, file_name
from mu2net_core.repo.core.config import Config
from mu2net_core.repo.core.copy_id import agent_id
from mu2net_core.repo.core.database import ObjectDatabase
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.core.tombstones import Purged
from mu2net_core.storage import FileLock, LocalStore, Store, check_no_links, make_folder, replace_file, translated

__all__ = ["CONFIG", "FOLDER", "LEASES", "PROBE", "Repository", "aside_name", "clone_marker", "is_bare"]

FOLDER = ".mu2net"
CONFIG = "config.toml"
LEASES = "leases"
"""The folder of leases; nothing needs them, and no exchange copies them."""
PROBE = "probe"
"""The folder of what probes of a place write; no part of a repository."""

_PATIENCE_S = 5.0
"""How long another process is waited for that changes the settings, which takes a moment."""


class Repository:
    """A repository in a local folder.

    Attributes:
        path: the folder with ``config.toml``, ``objects/``, ``refs/`` and ``state/``.
        worktree: the folder the user sees: the parent of ``.mu2net``, or the bare repository itself.
        store: its bytes by key.
        objects: its objects by id.
        refs: its heads, tags and roots.
        config: its settings when they were last read or written.
        state: the folder of local state, never shared.
        limits: how much is accepted from others.
    """

    def __init__(self, path: Path, config: Config, limits: Limits = LIMITS) -> None:
        """Opens ``path``; use ``open_repository``, which reads and checks the settings."""
        self.path = path
        self.worktree = path.parent if path.name == FOLDER else path
        self.state = path / "state"
        self.store: Store = LocalStore(path)
        self.objects = ObjectDatabase(self.store, quarantine=self.state / "corrupt", limits=limits)
        self.refs = Refs(self.store, limits)
        self.objects.purged = partial(Purged.read, self.refs)
        self.config = config
        self.limits = limits

    @property
    def identity(self) -> str:
        """What this repository and all its copies have in common, and no other has."""
        return self.config.identity

    @property
    def agent_id(self) -> str:
        """The random id of this working copy: stable, and its own also if the folder is a copy."""
        return agent_id(self.state)

    def update_config(self, change: Callable[[Config], Config]) -> Config:
        """Reads the settings again, replaces them by what ``change`` makes of them, and returns that.

        Raises:
            ConflictError: another process changes them right now.
        """
        with FileLock(self.state / "config.lock", what="the settings of this repository", patience_s=_PATIENCE_S):
            file = self.path / CONFIG
            with translated("read", file):
                data = file.read_bytes()
            changed = change(Config.parse(data, what=str(file)))
            replace_file(file, changed.dump())
        self.config = changed
        return changed

    def read_settings(self) -> None:
        """Takes over settings that other processes changed since; remotes stay what they were.

        Raises:
            StorageError, InvalidInputError: they cannot be read; nothing is changed.
        """
        file = self.path / CONFIG
        with translated("read", file):
            data = file.read_bytes()
        self.config = replace(self.config, settings=Config.parse(data, what=str(file)).settings)

    def set_aside(self, key: str) -> None:
        """Moves a damaged file to ``state/corrupt``, so that a good copy can take its place; missing is fine."""
        source = self.path / key
        target = self.state / "corrupt" / aside_name(key)
        with translated("move aside", source):
            check_no_links(source.parent, self.path)
            make_folder(target.parent)
            if os.path.lexists(source):
                source.replace(target)

    def __repr__(self) -> str:
        return f"Repository({str(self.path)!r})"


def aside_name(key: str) -> str:
    """Returns what the damaged file at ``key`` is called among those set aside: a ref so that its name is not told."""
    parts = key.split("/")
    return f"{'-'.join(parts[:2])}-{file_name(key)}" if parts[0] == "refs" else "-".join(parts)


def is_bare(folder: Path) -> bool:
    """Returns whether a folder is a repository itself, whatever others put into it, and has none as a working copy."""
    return (folder / CONFIG).is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def clone_marker(path: Path) -> Path:
    """Returns the file that lies in the repository at ``path`` as long as it is a clone under way, or cut off.

    Its first line is what is being cloned.
    """
    return path / "state" / "unfinished-clone"
