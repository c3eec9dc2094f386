"""Another repository, at a folder or URL, seen from a working copy."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from mu2net_core.errors import (
    AlreadyExistsError,
    ConflictError,
    CorruptObjectError,
    InvalidInputError,
    NotFoundError,
)
from mu2net_core.objects import LIMITS, Kind, Limits, parse_object_key
from mu2net_core.repo.core import (
    CONFIG,
    EPOCHS,
    FOLDER,
    LEASES,
    PROBE,
    Config,
    ObjectDatabase,
    Purged,
    Refs,
    Remote,
    Repository,
    begin_epoch,
    check_empty,
    create_repository,
    is_bare,
    is_config,
    parse_toml,
    repair_hint,
)
from mu2net_core.repo.history import near
from mu2net_core.repo.remotes.arrivals import read_checked
from mu2net_core.repo.remotes.remote_components import Holders
from mu2net_core.storage import Store, translated
from mu2net_core.storage import open_store as default_open_store

__all__ = [
    "OpenStore",
    "RemoteRepository",
    "attach",
    "check_own",
    "check_place",
    "check_recipient",
    "check_vacant",
    "component_fetcher",
    "connect",
    "connect_or_create",
    "find_remote",
    "new_settings",
]

OpenStore = Callable[[str], Store]


class RemoteRepository:
    """A remote that was reached.

    Attributes:
        remote: its name, URL and readers.
        store: its bytes by key.
        objects: its objects by id; every read is checked.
        refs: its heads, tags and roots.
        limits: how much is accepted from it.
        audience: who can read what is sent there.
    """

    def __init__(self, remote: Remote, store: Store, limits: Limits = LIMITS) -> None:
        self.remote = remote
        self.store = store
        self.objects = ObjectDatabase(store, limits=limits, remote=remote.name)
        self.refs = Refs(store, limits, remote=remote.name)
        self.limits = limits
        self.audience = remote.audience

    def config(self) -> Config:
        """Returns its settings.

        Raises:
            NotFoundError: there is no repository.
            InvalidInputError: it is of a future format.
            CorruptObjectError: they are damaged.
        """
        try:
            data = self.store.read(CONFIG, limit=self.limits.config_bytes)
        except NotFoundError as exc:
            raise NotFoundError(
                f"No repository at {self.store.url}.",
                hint="Check the address; the first `mu2net push` makes one in a new or an empty folder. If there was "
                "one, `mu2net push` in a copy that knows it brings back what is lost, or says how.",
            ) from exc
        if not is_config(data):
            with suppress(CorruptObjectError):
                parse_toml(data, f"the repository {self.store.url}")  # says if it is dangerous rather than damaged
            raise CorruptObjectError(
                f"The settings of the repository at {self.store.url} are damaged: its {CONFIG} does not hold any.",
                hint=repair_hint(self.remote.name),
            )
        return Config.parse(data, what=f"the repository {self.store.url}", foreign=True)

    def is_partial(self, config: Config) -> bool:
        """Returns whether it is a partial clone, by ``config``, its settings.

        Only a working copy in a folder can be one. In a place that several people write to, what its settings say of
        remotes counts for nothing.
        """
        file = self.store.local_path(CONFIG)
        return file is not None and file.parent.name == FOLDER and config.is_partial

    def exists(self) -> bool:
        """Returns whether there is a repository; reads its settings, for then a server that refuses says why."""
        try:
            self.store.read(CONFIG, limit=self.limits.config_bytes)
        except NotFoundError:
            return False
        return True

    def __repr__(self) -> str:
        return f"RemoteRepository({self.remote.name}, {self.store.url})"


def find_remote(config: Config, name: str | None = None) -> Remote:
    """Returns the remote called ``name``; without a name ``origin``, or the only one.

    Raises:
        NotFoundError: there is no such remote, or none at all.
        InvalidInputError: no name, and several to choose from.
    """
    known = ", ".join(sorted(config.remotes))
    if name is not None:
        if name not in config.remotes:
            hint = near(name, tuple(config.remotes), "mu2net remote list") if known else _ADD
            raise NotFoundError(f"There is no remote {name}; known: {known or 'none'}.", hint=hint)
        return config.remotes[name]
    if not config.remotes:
        raise NotFoundError("This repository has no remote.", hint=_ADD)
    if "origin" in config.remotes:
        return config.remotes["origin"]
    if len(config.remotes) > 1:
        first = min(config.remotes)
        raise InvalidInputError(
            f"Which remote? Expected one of {known}.",
            hint=f"Name one, as in: mu2net push {first}, or mu2net pull {first}",
        )
    return next(iter(config.remotes.values()))


def new_settings(remote: Remote, like: Config) -> bytes:
    """Returns the settings of a repository that is made at ``remote`` with those of ``like``."""
    return Config(
        identity=like.identity, preset=like.preset, settings=like.shared_settings, readers=remote.readers
    ).dump()


def connect(remote: Remote, *, open_store: OpenStore | None = None, limits: Limits = LIMITS) -> RemoteRepository:
    """Returns ``remote``, opened; nothing is read yet.

    A folder with a ``.mu2net`` inside stands for that, unless it is a repository itself: who writes to it could put
    another one in it.

    Args:
        remote: where it is and how to reach it.
        open_store: opens a URL in place of ``storage.open_store``, which is told the remote's options.
        limits: how much is accepted from it.
    """
    store = (
        open_store(remote.url)
        if open_store
        else default_open_store(remote.url, remote.options, most_names=limits.names)
    )
    file = store.local_path(CONFIG)
    if file is not None and _holds_repository(file.parent):
        store = (open_store or default_open_store)(str(file.parent / FOLDER))
    return RemoteRepository(remote, store, limits)


def connect_or_create(
    remote: Remote, like: Config, *, open_store: OpenStore | None = None, limits: Limits = LIMITS
) -> RemoteRepository:
    """Returns ``remote``; if there is nothing yet, makes a bare repository there first, with the settings of ``like``.

    Raises:
        InvalidInputError: the place holds other things, or is a partial clone, which cannot serve others.
        ConflictError: another repository is there.
        AccessDeniedError: permissions forbid it.
    """
    reached = connect(remote, open_store=open_store, limits=limits)
    if not check_recipient(reached, like.identity):
        _create(reached, like)
    return reached


def check_recipient(reached: RemoteRepository, identity: str) -> bool:
    """Returns whether there is a repository already, which must be of that identity; writes nothing.

    Raises:
        InvalidInputError: the place holds other things, or is a partial clone, which cannot serve others.
        ConflictError: another repository is there.
    """
    try:
        found = reached.config()
    except NotFoundError:
        file = reached.store.local_path(CONFIG)
        if file is None:
            check_vacant(reached.store)
        elif file.parent.is_dir():
            check_empty(file.parent)
        return False
    check_own(reached.remote, found.identity, identity)
    if reached.is_partial(found):
        raise InvalidInputError(
            f"Cannot push to {reached.store.url}: it is a partial clone, which does not hold all components.",
            hint="Push to its own remote instead; in that folder, mu2net remote tells which.",
        )
    return True


def check_own(remote: Remote, there: str, here: str) -> None:
    """Checks that a remote is a copy of the repository at hand, by the identities of both.

    Raises:
        ConflictError: it is another one.
    """
    if there == here:
        return
    words = ["mu2net", "clone", remote.url, "FOLDER"]
    for name, value in sorted(remote.options.items()):
        words += ["--anonymous"] if name == "anonymous" else [f"--{name}", value]
    words += ["--readers", ",".join(remote.readers)] if remote.readers else []
    raise ConflictError(
        f"The remote {remote.name} ({remote.url}) is another repository: its identity is {there[:8]}, and here it is "
        f"{here[:8]}. Nothing was exchanged.",
        hint=f"To work on that one: `{shlex.join(words)}`. Tasks can be added there again; models are not carried over "
        f"between repositories. If it is a copy of this one, somebody changed its {CONFIG}, where this belongs: "
        f'identity = "{here}"',
    )


def check_place(remote: Remote, repo: Repository) -> None:
    """Refuses a place that ``repo`` can never share with: itself, a file, or a folder of other things.

    Raises:
        InvalidInputError: it is one of these. A folder that is missing, empty or a repository passes.
    """
    file = default_open_store(remote.url, remote.options).local_path(CONFIG)
    if file is None:
        return
    folder = file.parent
    with translated("look into", folder):
        if folder in {repo.path.resolve(), repo.worktree.resolve()}:
            raise InvalidInputError(f"Cannot use {folder} as a remote: it is this repository itself.")
        if folder.exists() and not folder.is_dir():
            raise InvalidInputError(f"Cannot use {folder} as a remote: it is a file. Expected a folder.")
        if folder.is_dir() and not file.is_file() and not _holds_repository(folder):
            check_empty(folder)


def _holds_repository(folder: Path) -> bool:
    """Returns whether a folder has a repository in it, as working copies do, and is none."""
    with translated("look into", folder):
        return not is_bare(folder) and (folder / FOLDER / CONFIG).is_file()


def attach(repo: Repository) -> None:
    """Lets ``repo`` bring missing components from its partial remotes, as they are configured now."""
    remotes = repo.config.remotes.values()
    repo.objects.fetch_missing = component_fetcher(remotes, holders=Holders(repo), limits=repo.limits)


def component_fetcher(
    remotes: Iterable[Remote],
    *,
    holders: Holders | None = None,
    open_store: OpenStore | None = None,
    limits: Limits = LIMITS,
) -> Callable[[Kind, str], bytes] | None:
    """Returns what brings missing components of a partial clone from the first of ``remotes`` that has them.

    None if no remote is partial: then whatever is missing is lost. Every byte is checked against the id. Where there
    are several, each is asked only for what it was seen to refer to, as ``holders`` say.
    """
    partial = sorted((remote for remote in remotes if remote.partial), key=lambda r: (r.name != "origin", r.name))
    if not partial:
        return None
    stores: dict[str, Store] = {}

    def fetch(kind: Kind, oid: str) -> bytes:
        chosen = partial if kind == "component" else []
        if holders is not None and len(chosen) > 1:
            chosen = holders.of(oid, chosen)
        for remote in chosen:
            if remote.name not in stores:
                stores[remote.name] = connect(remote, open_store=open_store).store
            try:
                return read_checked(stores[remote.name], kind, oid, limit=limits.component_bytes, name=remote.name)
            except NotFoundError:
                continue
        unasked = [remote for remote in partial if kind == "component" and remote not in chosen]
        raise _missing(kind, oid, [(remote, stores[remote.name]) for remote in chosen], unasked)

    return fetch


def _missing(
    kind: Kind, oid: str, asked: Sequence[tuple[Remote, Store]], unasked: Sequence[Remote] = ()
) -> NotFoundError:
    """Returns the error for an object that is not here and on none of the remotes that were ``asked``."""
    places = ", ".join(f"{remote.name} ({remote.url})" for remote, _ in asked)
    what = f"The {kind} {oid} is not here" + (f" and not on {places}" if asked else "")
    for remote, store in asked:
        if not store.exists(CONFIG):
            return NotFoundError(
                f"{what}: no repository is at {store.url} any more.",
                hint=f"Bring {remote.name} back (is a disk or share not mounted?), then repeat.",
            )
        task = Purged.read(Refs(store)).lists((kind, oid))
        if task is not None:
            return NotFoundError(
                f"{what}: it was purged from {remote.name} with the task {task}.",
                hint="Another copy may still have it: `mu2net fsck --repair-from REMOTE`. "
                f"Or drop what is left of it here: `mu2net rm-task {task} --purge`",
            )
    if unasked and not asked:
        names = ", ".join(remote.name for remote in unasked)
        return NotFoundError(
            f"{what}, and was not asked for on {names}: nothing that was seen there refers to it.",
            hint=f"If that is out of date, look again: mu2net fetch {unasked[0].name}",
        )
    return NotFoundError(
        f"{what}.",
        hint="`mu2net fsck --repair-from REMOTE` takes a good copy from any other repository that has one; "
        "`mu2net fsck` says what else is missing, and which earlier models are whole.",
    )


def check_vacant(store: Store) -> None:
    """Checks that a storage without a repository holds nothing else, but for what creating, probing and sending leave.

    Raises:
        InvalidInputError: it does.
    """
    ours = (f"{PROBE}/", f"{LEASES}/", f"{EPOCHS}/")
    keys = (key for key in store.list("") if key != CONFIG and not key.startswith(ours))
    other = next((key for key in keys if parse_object_key(key) is None), None)
    if other is not None:
        raise InvalidInputError(
            f"Cannot share through {store.url}: it holds other things (such as {other[:80]}) and no {CONFIG}, so it is "
            "no mu2net repository.",
            hint="Name a new or an empty place, such as a folder of its own below it.",
        )


def _create(remote: RemoteRepository, like: Config) -> None:
    """Makes an empty bare repository; somebody else doing so at the same moment is fine."""
    store, readers = remote.store, remote.remote.readers
    file = store.local_path(CONFIG)
    with suppress(AlreadyExistsError):
        if file is not None:
            create_repository(
                file.parent,
                preset=like.preset,
                identity=like.identity,
                settings=like.shared_settings,
                bare=True,
                readers=readers,
            )
            return
        begin_epoch(store)
        store.create(CONFIG, new_settings(remote.remote, like))


_ADD = "Add one: mu2net remote add origin FOLDER"
