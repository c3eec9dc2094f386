"""Making a repository. ``config.toml`` comes last: a folder without it is not one yet, and can be made one again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from mu2net_core.errors import AlreadyExistsError, InvalidInputError
from mu2net_core.objects import LIMITS, Limits
from mu2net_core.repo.core.config import Config, flatten
from mu2net_core.repo.core.epoch import begin_epoch
from mu2net_core.repo.core.report_files import REPORTS
from mu2net_core.repo.core.repository import CONFIG, FOLDER, LEASES, PROBE, Repository
from mu2net_core.storage import LocalStore, keep_from_others, make_folder, translate

__all__ = ["check_empty", "create_repository"]

_PARTS = ("objects", "refs", "state")


def create_repository(
    folder: Path,
    *,
    preset: str,
    identity: str | None = None,
    settings: Mapping[str, Any] | None = None,
    bare: bool = False,
    readers: tuple[str, ...] | None = None,
    limits: Limits = LIMITS,
) -> Repository:
    """Returns a new, empty repository without a root model in ``folder`` (in its ``.mu2net``, unless ``bare``).

    What an interrupted attempt left behind is taken over. ``readers`` says to others who can read it. Without an
    ``identity`` it gets a new one: then it shares with its own clones only.

    Raises:
        AlreadyExistsError: there is one already.
        InvalidInputError: ``bare``, and the folder holds other things.
    """
    folder = folder.absolute()
    path = folder if bare else folder / FOLDER
    config = Config(identity=identity or uuid4().hex, preset=preset, settings=flatten(settings or {}), readers=readers)
    try:
        if (path / CONFIG).exists():
            raise _exists(path)
        if bare and path.is_dir():
            check_empty(path)
        for part in _PARTS:
            make_folder(path / part, private=not bare)
        if not bare:
            keep_from_others(path)
    except OSError as exc:
        raise translate(exc, "create", path) from exc
    store = LocalStore(path)
    begin_epoch(store)
    try:
        store.create(CONFIG, config.dump())
    except AlreadyExistsError as exc:
        raise _exists(path) from exc
    return Repository(path, config, limits)


def check_empty(path: Path) -> None:
    """Raises InvalidInputError if the folder ``path`` holds more than what creating and probing leave.

    ``config.toml`` is let pass: the caller saw none, so somebody else has made the repository in the meantime.
    """
    ours = {*_PARTS, LEASES, PROBE, REPORTS, CONFIG}
    other = sorted(entry.name for entry in path.iterdir() if entry.name not in ours and entry.name[0] != ".")
    if other:
        raise InvalidInputError(
            f"Cannot make a bare repository in {path}: it holds other things ({', '.join(other[:3])}).",
            hint="Name a new or an empty folder.",
        )


def _exists(path: Path) -> AlreadyExistsError:
    return AlreadyExistsError(f"There is a repository in {path} already.")
