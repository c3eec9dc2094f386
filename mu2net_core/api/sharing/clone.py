"""Clone: a new working copy of a repository that is somewhere else."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.settings.foreign_settings import fitting_settings
from mu2net_core.api.settings.limits import effective_limits
from mu2net_core.api.settings.own import REQUIRE_SIGNED
from mu2net_core.api.sharing.exchanges import requiring
from mu2net_core.api.sharing.remote import as_readers, resolve_url
from mu2net_core.api.signing.trust import trust_of
from mu2net_core.errors import AlreadyExistsError, CredentialsExpiredError, InvalidInputError, StorageError
from mu2net_core.objects import Limits, hash_bytes, parse_object_key
from mu2net_core.repo import Config, Remote, Repository, create_repository, open_repository
from mu2net_core.repo.core import CONFIG, FOLDER, Value, check_endpoint, clone_marker
from mu2net_core.repo.exchange import Policy, adopt, bring_reports, fetch
from mu2net_core.repo.remotes import (
    Counter,
    NameReport,
    TaskReport,
    Watch,
    attach,
    broken_wins,
    connect,
    is_whole,
    read_tracking,
)
from mu2net_core.storage import LocalStore, check_folder, make_folder, replace_file, synced_together, translated

__all__ = ["CloneResult", "clone"]

_ORIGIN = "origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneResult:
    """What a clone brought.

    Attributes:
        path: the new ``.mu2net``.
        worktree: the new folder.
        url: what was cloned.
        full: whether all components came along.
        tasks: every task's head.
        tags: every tag.
        roots: every root model.
        meant_for: who can read what was cloned, as it says itself; None for everybody.
        preset: that was taken over.
        settings: that were taken over with it.
        num_objects: objects that travelled.
        size_bytes: bytes of these objects.
    """

    path: Path
    worktree: Path
    url: str
    full: bool
    tasks: tuple[TaskReport, ...]
    tags: tuple[NameReport, ...]
    roots: tuple[NameReport, ...]
    meant_for: tuple[str, ...] | None
    preset: str
    settings: Mapping[str, Value]
    num_objects: int
    size_bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out because it is broken, or not signed as it has to be."""
        return is_whole(self.tasks, self.tags, self.roots)


def clone(
    url: str,
    folder: Path | str | None,
    context: Context,
    full: bool = False,  # noqa: FBT001, FBT002
    *,
    readers: Iterable[str] = (),
    options: Mapping[str, str] | None = None,
    require_signed: Path | None = None,
    progress: Watch | None = None,
) -> CloneResult:
    """Makes a working copy of the repository at ``url`` in ``folder``, with ``url`` as its remote ``origin``.

    History and manifests come now, components when something needs them, unless ``full``. What is broken there is
    reported, and stays out; all else comes. A failure leaves nothing behind; of a clone that was cut off, by a
    connection that broke, Ctrl-C or a crash, the same command takes up what came before.

    Args:
        url: a folder or URL.
        folder: new or empty; by default called like the last part of ``url``, in the context's ``cwd``.
        context: of the call.
        full: whether all components come now.
        readers: groups and tasks that can read ``url``; empty for everybody. What a repository says of itself in this
            is never taken over: whoever writes it could so get what is meant for others.
        options: how to reach it, as for ``remote add``.
        require_signed: a file of allowed keys: heads and tags that are not signed by one of them are reported as
            ``refused`` and stay out; it becomes the clone's setting ``pull.require_signed``.
        progress: told of every object.

    Raises:
        NotFoundError: there is no repository at ``url``.
        AlreadyExistsError: ``folder`` is not empty.
    """
    source = resolve_url(url, context)
    remote = Remote(
        name=_ORIGIN, url=source, readers=as_readers(readers), partial=not full, options=dict(options or {})
    )
    check_endpoint(remote)
    limits = effective_limits(context)
    reached = connect(remote, limits=limits)
    like = fitting_settings(reached.config(), context, limits)
    name = _default_name(source) if folder is None else check_folder(folder).expanduser()
    target = context.cwd / name
    _check_target(target)
    counter = Counter(progress)
    with _unfinished(target, f"{source}\n{full}\n", context):
        repo = _new_repository(target, like, remote, limits)
        if require_signed is not None:
            keys = str(context.cwd / require_signed.expanduser())
            repo.update_config(lambda config: config.with_setting(REQUIRE_SIGNED, keys))
        policy = requiring(Policy(), trust_of(repo, context))
        with synced_together(repo.store):
            fetched = fetch(repo, reached, counter=counter, clock=context.now, policy=policy)
            tracking = read_tracking(repo.state, remote)
            adopted = adopt(repo, tracking, sorted(tracking.heads), policy, remote=remote)
            bring_reports(repo, reached, tracking.heads)
    tasks = broken_wins(fetched.tasks, adopted)
    if not (tasks or fetched.roots):
        context.warn(
            f"{source} is an empty repository; if it was not, mu2net push in a copy that knows it brings all back"
        )
    return CloneResult(
        path=repo.path,
        worktree=repo.worktree,
        url=source,
        full=full,
        tasks=tasks,
        tags=fetched.tags,
        roots=fetched.roots,
        meant_for=like.readers,
        preset=like.preset,
        settings=dict(like.settings),
        num_objects=counter.num_objects,
        size_bytes=counter.size_bytes,
    )


def _new_repository(target: Path, like: Config, remote: Remote, limits: Limits) -> Repository:
    """Returns a repository with the settings of ``like`` and one remote; one begun before is taken up."""
    if (target / FOLDER / CONFIG).is_file():
        repo = open_repository(target, limits_of=lambda _config: limits)
    else:
        repo = create_repository(
            target, preset=like.preset, identity=like.identity, settings=like.shared_settings, limits=limits
        )
    repo.update_config(lambda config: config.with_remote(remote))
    attach(repo)
    return repo


def _default_name(url: str) -> str:
    place = url.partition("://")[2] if "://" in url else url
    name = place.rstrip("/").rpartition("/")[2].removesuffix(FOLDER).partition("@")[0]
    if not name or name.startswith("."):
        raise InvalidInputError(f"Cannot name the new folder after {url}.", hint="Name it: mu2net clone URL FOLDER")
    return name


def _check_target(target: Path) -> None:
    """Refuses a folder that holds anything but an unfinished clone."""
    with translated("clone into", target):
        if target.exists() and not target.is_dir():
            raise AlreadyExistsError(f"Cannot clone into {target}: it is a file.")
        others = [entry.name for entry in target.iterdir() if entry.name != FOLDER] if target.is_dir() else []
        finished = (target / FOLDER / CONFIG).is_file() and not clone_marker(target / FOLDER).is_file()
    if others or finished:
        what = "there is a repository" if finished else f"it holds other things ({', '.join(sorted(others)[:3])})"
        raise AlreadyExistsError(f"Cannot clone into {target}: {what}.", hint="Name a new or an empty folder.")


def _mend(folder: Path) -> None:
    """Removes what a clone that was cut off may have left half-written, which it forces to the disk at its end only."""
    for derived in ("refs", "state/remotes"):
        shutil.rmtree(folder / derived, ignore_errors=True)
    store = LocalStore(folder)
    for key in store.list("objects"):
        parsed = parse_object_key(key)
        if parsed is None or hash_bytes(store.read(key)) != parsed[1]:
            store.delete(key)


@contextmanager
def _unfinished(target: Path, what: str, context: Context) -> Iterator[None]:
    """Marks the clone as unfinished inside the block. If it fails, nothing is left; if it is cut off, what came is."""
    existed, marker = target.is_dir(), clone_marker(target / FOLDER)
    with translated("clone into", target):
        if marker.is_file():
            if marker.read_text() == what:
                _mend(target / FOLDER)
            else:
                shutil.rmtree(target / FOLDER)  # begun from elsewhere
    try:
        with translated("clone into", target):
            make_folder(marker.parent, private=True)
        replace_file(marker, what.encode())
        yield
        with translated("finish", target):
            marker.unlink()
    except BaseException as exc:
        if isinstance(exc, StorageError | CredentialsExpiredError | KeyboardInterrupt) and _has_objects(
            target / FOLDER
        ):
            context.warn(f"what came so far is in {target}; the same command goes on from there")
            raise
        shutil.rmtree(target / FOLDER, ignore_errors=True)
        if not existed:
            with suppress(OSError):
                target.rmdir()
        raise


def _has_objects(path: Path) -> bool:
    """Returns whether an interrupted clone brought anything that need not come again."""
    return any(file.is_file() for part in ("objects", "state/incoming") for file in (path / part).rglob("*"))
