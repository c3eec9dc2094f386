"""The remotes of a repository: adding, listing and removing them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mu2net_core.api.context import Context
from mu2net_core.errors import AlreadyExistsError, ConflictError, InvalidInputError
from mu2net_core.objects import check_name
from mu2net_core.repo import Config, Remote, Repository
from mu2net_core.repo.absent import only_there
from mu2net_core.repo.remotes import attach, check_place, find_remote
from mu2net_core.repo.tracking import forget_tracking
from mu2net_core.storage import open_store

__all__ = ["RemoteInfo", "add", "list_", "remove", "resolve_url"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInfo:
    """A remote as it is configured.

    Attributes:
        name: what it is called here.
        url: where it is.
        readers: who can read it; None for everybody.
        partial: whether components come from it only when something needs them.
    """

    name: str
    url: str
    readers: tuple[str, ...] | None
    partial: bool


def add(
    repo: Repository,
    context: Context,
    name: str,
    url: str,
    *,
    readers: Iterable[str] = (),
    partial: bool = True,
) -> RemoteInfo:
    """Adds a remote and returns it. A folder may be missing or empty: the first push makes a repository there.

    Args:
        repo: where to add it.
        context: of the call; a relative folder is relative to its ``cwd``.
        name: what to call it.
        url: a folder or URL.
        readers: groups and tasks that can read it; empty for everybody, so that only public tasks go there.
        partial: whether components come only when something needs them.

    Raises:
        AlreadyExistsError: there is a remote of that name.
        InvalidInputError: the URL is of an unknown kind, holds other things, or is this repository itself.
    """
    remote = Remote(
        name=check_name(name, "remote name"),
        url=resolve_url(url, context),
        readers=tuple(sorted({check_name(reader, "reader") for reader in readers})) or None,
        partial=partial,
    )
    check_place(remote, repo)

    def change(config: Config) -> Config:
        if name in config.remotes:
            raise AlreadyExistsError(
                f"There is a remote {name} already: {config.remotes[name].url}.",
                hint=f"Choose another name, or first: mu2net remote remove {name}",
            )
        forget_tracking(repo.state, name)
        return config.with_remote(remote)

    repo.update_config(change)
    attach(repo)
    return _info(remote)


def list_(repo: Repository) -> tuple[RemoteInfo, ...]:
    """Returns all remotes, sorted by name."""
    return tuple(_info(remote) for _, remote in sorted(repo.config.remotes.items()))


def remove(repo: Repository, name: str) -> RemoteInfo:
    """Removes a remote, and what is known of it, and returns what it was; nothing over there is touched.

    Raises:
        NotFoundError: there is no remote of that name.
        ConflictError: components that this repository needs are only there.
    """
    removed = find_remote(repo.config, name)
    only = only_there(repo, removed)
    if only:
        raise ConflictError(
            f"Cannot remove the remote {name}: {only} component{'s' * (only > 1)} that this repository needs "
            f"{'are' if only > 1 else 'is'} only there ({removed.url}).",
            hint=f"Make a full copy, from which they can come instead: mu2net clone --full {removed.url} FOLDER, "
            f"mu2net remote add full FOLDER, then again: mu2net remote remove {name}",
        )
    repo.update_config(lambda config: config.without_remote(name))
    forget_tracking(repo.state, name)
    attach(repo)
    return _info(removed)


def resolve_url(url: str, context: Context) -> str:
    """Returns ``url`` with a folder made absolute, so that it means the same from everywhere.

    Raises:
        InvalidInputError: it is empty, or of a kind no storage serves.
    """
    if not url.strip():
        raise InvalidInputError("Expected a folder or URL, got nothing.")
    if url.lower().startswith("file://"):
        url = unquote(urlsplit(url).path)
    if _SCHEME.match(url):
        open_store(url)  # refuses what it cannot serve
        return url
    return str((context.cwd / Path(url).expanduser()).resolve())


def _info(remote: Remote) -> RemoteInfo:
    return RemoteInfo(name=remote.name, url=remote.url, readers=remote.readers, partial=remote.partial)
