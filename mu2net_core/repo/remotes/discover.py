"""Finding and opening the repository a folder belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import LIMITS, Limits
from mu2net_core.repo.core import CONFIG, FOLDER, Config, Repository, is_bare
from mu2net_core.repo.remotes.remotes import attach
from mu2net_core.storage import LocalStore, is_link, is_strangers, link_error, translated

__all__ = ["find_repository", "open_repository"]


def find_repository(start: Path) -> Path:
    """Returns the folder of the repository that ``start`` lies in, walking up as git does.

    One that somebody else put into a folder above where everybody may write, such as ``/tmp``, is passed over.

    Raises:
        NotFoundError: neither ``start`` nor a folder above it has one.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        found = _repository_at(folder)
        if found is not None and (folder == start or not is_strangers(found)):
            return found
    with translated("look into", start):
        unfinished = next((f / FOLDER for f in (start, *start.parents) if (f / FOLDER).is_dir()), None)
    if unfinished is not None:
        raise NotFoundError(
            f"No repository in {start} or above it; {unfinished} is an unfinished one.",
            hint=f"Finish it: mu2net init {unfinished.parent}",
        )
    raise NotFoundError(
        f"No repository in {start} or in any folder above it.",
        hint="Make one with `mu2net init`, or go to one with `mu2net -C FOLDER ...`.",
    )


def open_repository(
    path: Path, *, limits_of: Callable[[Config], Limits] = lambda config: Limits.of(config.settings)
) -> Repository:
    """Returns the repository at ``path``: a folder that has a ``.mu2net``, such a ``.mu2net``, or a bare repository.

    Args:
        path: where.
        limits_of: returns how much is accepted from others, by the repository's own settings.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: it is of a future format, or its settings cannot be right.
    """
    path = path.absolute()
    found = _repository_at(path)
    if found is None:
        raise NotFoundError(f"No repository in {path}.", hint=f"Make one with `mu2net init {path}`.")
    config = Config.parse(_own(found), what=str(found / CONFIG))
    repo = Repository(found, config, limits_of(config))
    attach(repo)
    return repo


def _own(path: Path) -> bytes:
    """Returns the bytes of a repository's settings, having seen that no link leads its local state elsewhere."""
    state = path / "state"
    with translated("look into", state):
        inside = state.iterdir() if not is_link(state) and state.is_dir() else ()
        found = next(filter(is_link, (state, *inside)), None)
    if found is not None:
        raise link_error(found)
    return LocalStore(path).read(CONFIG, limit=LIMITS.config_bytes)


def _repository_at(folder: Path) -> Path | None:
    """Returns the repository folder that ``folder`` itself is or has, else None."""
    with translated("look into", folder):
        if is_bare(folder):
            return folder
        if (folder / FOLDER / CONFIG).is_file():
            return folder / FOLDER
    return None
