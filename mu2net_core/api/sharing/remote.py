"""The remotes of a repository: adding, changing, listing and removing them."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from mu2net_core.api.context import Context
from mu2net_core.errors import (
    AlreadyExistsError,
    ConflictError,
    CorruptObjectError,
    InvalidInputError,
    Mu2netError,
    NotFoundError,
)
from mu2net_core.objects import check_name
from mu2net_core.repo import Config, Remote, Repository
from mu2net_core.repo.core import check_endpoint
from mu2net_core.repo.probing import Verdict, forget_note, read_note, refusal, vet
from mu2net_core.repo.remotes import (
    RemoteRepository,
    attach,
    check_own,
    check_place,
    connect,
    find_remote,
    forget_tracking,
)
from mu2net_core.repo.upkeep import only_there
from mu2net_core.storage import check_no_secret, open_store

__all__ = ["RemoteInfo", "add", "change", "list_", "remove", "resolve_url"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_CUT = re.compile(r"(s3|gs|gcs|abfss?|az|file):", re.IGNORECASE)  # a URL's scheme, but not its slashes


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInfo:
    """A remote as it is configured.

    Attributes:
        name: what it is called here.
        url: where it is.
        readers: who can read it; None for everybody.
        partial: whether components come from it only when something needs them.
        options: how to reach it.
        verdict: what the last probe found; None if it was never probed.
        reason: what stands in the way, if the probe found something.
    """

    name: str
    url: str
    readers: tuple[str, ...] | None
    partial: bool
    options: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
    reason: str | None = None


def add(
    repo: Repository,
    context: Context,
    name: str,
    url: str,
    *,
    readers: Iterable[str] = (),
    full: bool = False,
    options: Mapping[str, str] | None = None,
    check: bool = True,
) -> RemoteInfo:
    """Adds a remote and returns it. A place may be missing or empty: the first push makes a repository there.

    Args:
        repo: where to add it.
        context: of the call; a relative folder is relative to its ``cwd``.
        name: what to call it.
        url: a folder or URL.
        readers: groups and tasks that can read it; empty for everybody, so that only public tasks go there.
        full: whether components come with every fetch, not only when something needs them.
        options: how to reach it: endpoint, region, profile, anonymous, account, project; never a secret.
        check: whether to probe it first.

    Raises:
        AlreadyExistsError: there is a remote of that name.
        ConflictError: another repository is there.
        InvalidInputError: the URL is of an unknown kind, holds a secret or other things, or is this repository itself.
        StorageError: it cannot be reached, or lets writers overwrite each other.
        AccessDeniedError: it may not be read.
        NotFoundError: the bucket is not there.
    """
    remote = Remote(
        name=check_name(name, "remote name"),
        url=resolve_url(url, context),
        readers=as_readers(readers),
        partial=not full,
        options=dict(options or {}),
    )
    check_endpoint(remote)
    check_place(remote, repo)
    _refuse_second(repo.config, remote)
    if check:
        _check_new(repo, context, remote)

    def change(config: Config) -> Config:
        _refuse_second(config, remote)
        forget_tracking(repo.state, name)
        return config.with_remote(remote)

    repo.update_config(change)
    attach(repo)
    return _info(repo, remote)


def change(
    repo: Repository,
    name: str,
    *,
    readers: Iterable[str] | None = None,
    options: Mapping[str, str] | None = None,
) -> RemoteInfo:
    """Changes what is written down of a remote, and returns it.

    Args:
        repo: whose remote it is.
        name: of the remote.
        readers: who can read it from now on; empty for everybody, None for no change.
        options: replace those of the same name; an empty value takes one away.

    Raises:
        NotFoundError: there is no remote of that name.
        InvalidInputError: a value cannot be right, or is a secret.
    """

    def changed(config: Config) -> Config:
        remote = find_remote(config, name)
        merged = {key: value for key, value in {**remote.options, **(options or {})}.items() if value}
        remote = replace(remote, options=merged)
        check_endpoint(remote)
        return config.with_remote(remote if readers is None else replace(remote, readers=as_readers(readers)))

    repo.update_config(changed)
    attach(repo)
    return _info(repo, repo.config.remotes[name])


def list_(repo: Repository) -> tuple[RemoteInfo, ...]:
    """Returns all remotes, sorted by name."""
    return tuple(_info(repo, remote) for _, remote in sorted(repo.config.remotes.items()))


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
            hint=f"Let them come from elsewhere first: to reach the same place by another name, mu2net remote add NAME "
            f"{shlex.quote(removed.url)} (with its readers and options); or, if that place goes, mu2net clone --full "
            f"{shlex.quote(removed.url)} FOLDER and mu2net remote add NAME FOLDER. Then: mu2net remote remove {name}",
        )
    info = _info(repo, removed)
    repo.update_config(lambda config: config.without_remote(name))
    forget_tracking(repo.state, name)
    forget_note(repo.state, name)
    attach(repo)
    return info


def resolve_url(url: str, context: Context) -> str:
    """Returns ``url`` with a folder made absolute, so that it means the same from everywhere.

    Raises:
        InvalidInputError: it is empty, holds a secret, or is of a kind no storage serves.
    """
    if not url.strip():
        raise InvalidInputError("Expected a folder or URL, got nothing.")
    check_no_secret(url)
    if url.lower().startswith("file://"):
        url = unquote(urlsplit(url).path)
    if _SCHEME.match(url):
        open_store(url)  # refuses what it cannot serve
        return url.rstrip("/") if not url.endswith("://") else url
    if _CUT.match(url):
        raise InvalidInputError(
            f"Not a URL: {url!r}. Expected two slashes after the scheme, as in s3://BUCKET/FOLDER.",
            hint=f"If it is a folder: ./{url}",
        )
    return os.path.realpath(context.cwd / os.path.expanduser(url))  # noqa: PTH111  for ~ of nobody it fails later


def as_readers(names: Iterable[str]) -> tuple[str, ...] | None:
    """Returns who can read a remote as it is written down: None, everybody, where nobody is named."""
    return tuple(sorted({check_name(name, "reader") for name in names})) or None


def _refuse_second(config: Config, remote: Remote) -> None:
    if remote.name in config.remotes:
        raise AlreadyExistsError(
            f"There is a remote {remote.name} already: {config.remotes[remote.name].url}.",
            hint=f"Choose another name, or first: mu2net remote remove {remote.name}",
        )


def _check_new(repo: Repository, context: Context, remote: Remote) -> None:
    """Refuses a place that cannot be reached, holds other things, or lets writers overwrite each other."""
    reached = connect(remote, limits=repo.limits)
    try:
        report = vet(repo.state, reached, now=context.now)
    except InvalidInputError:
        raise
    except Mu2netError as exc:
        if not os.access(repo.state, os.W_OK):
            raise  # this working copy is what may not be written to
        hint = f"{exc.hint or ''} To add it all the same, without looking: --no-check".strip()
        raise type(exc)(exc.message, hint=hint) from exc
    if report.verdict == "unsafe" and (error := refusal(report)):
        raise error
    check_own(remote, _identity(reached) or repo.identity, repo.identity)
    if report.remark is not None:
        context.warn(f"{remote.name}: {report.remark}")


def _identity(reached: RemoteRepository) -> str | None:
    """Returns the identity of the repository that is there, None if there is none yet, or it cannot be read."""
    try:
        return reached.config().identity
    except (CorruptObjectError, InvalidInputError, NotFoundError):
        return None


def _info(repo: Repository, remote: Remote) -> RemoteInfo:
    note = read_note(repo.state, remote)
    return RemoteInfo(
        name=remote.name,
        url=remote.url,
        readers=remote.readers,
        partial=remote.partial,
        options=dict(remote.options),
        verdict=note.verdict if note else None,
        reason=note.reason if note else None,
    )
