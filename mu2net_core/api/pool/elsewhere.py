"""The working copy of an agent on a machine that is not its pool's: a clone, kept there for the next time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

from mu2net_core.api.context import Context, cache_folder
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.home import Home
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.errors import ConflictError, Mu2netError, NotFoundError
from mu2net_core.repo import Config, Repository, load_system, open_repository
from mu2net_core.repo.core import CONFIG, FOLDER, Value, be_agent, clone_marker, is_shared
from mu2net_core.storage import FileLock

__all__ = ["agents_folder", "drop_refused", "working_copy"]


def agents_folder(context: Context) -> Path:
    """Returns where the working copies of agents of pools elsewhere lie on this machine."""
    return cache_folder(context) / "agents"


@contextmanager
def working_copy(home: Home, context: Context) -> Iterator[Repository]:
    """Yields an agent's working copy on this machine, with all that is shared by now; nobody else uses it meanwhile.

    It is kept, with what was not finished: the next process of the same agent here goes on with it.

    Raises:
        NotFoundError: the remote cannot be found from here.
        StorageError, AccessDeniedError: it cannot be reached.
    """
    with _free(agents_folder(context), home.name) as folder:
        path = folder / FOLDER
        if not (path / CONFIG).is_file() or clone_marker(path).is_file():
            _clone(home, folder, context)
            repo = open_repository(folder)
        else:
            repo = open_repository(folder)
            _catch_up(repo, context)
        be_agent(repo.state, home.agent)
        repo.update_config(lambda config: _with_settings(config, home.settings))
        yield repo


@contextmanager
def _free(folder: Path, name: str) -> Iterator[Path]:
    """Yields the agent's folder; another one where a process has it that was taken for dead."""
    for number in count(1):
        own = folder / (name if number == 1 else f"{name}-{number}")
        lock = FileLock(own.with_suffix(".lock"))
        try:
            lock.__enter__()
        except ConflictError:
            continue
        try:
            yield own
        finally:
            lock.__exit__(None, None, None)
        return


def _clone(home: Home, folder: Path, context: Context) -> None:
    try:
        clone(home.url, folder, context, readers=home.readers, options=home.options)
    except NotFoundError as exc:
        raise NotFoundError(
            f"{context.host} finds no repository at {home.url}.",
            hint="Agents on other machines need a remote that all of them reach: a bucket, or a folder they share.",
        ) from exc


def _catch_up(repo: Repository, context: Context) -> None:
    try:
        pull(repo, context)
    except Mu2netError as exc:
        context.warn(f"it begins with what it knew before: {exc.message}")


def drop_refused(repo: Repository, context: Context, tasks: Sequence[str] | None, asked: EvolveOptions) -> None:
    """Drops unfinished iterations of ``tasks``, all if None, that cannot go on as asked: nobody is there to decide.

    They are those of an earlier pool that was asked for something else, or of tasks that were reset meanwhile.
    """
    from mu2net_core.api.iterations.agenda import drop_unfinished  # the engine comes along, which no supervisor needs

    system = load_system(repo)
    names = [name for name in (system.heads if tasks is None else tasks) if name in system.heads]
    for name, left in drop_unfinished(repo, system, names, asked, kinds={"other", "stuck"}):
        context.warn(f"{name} begins anew here, as the unfinished iteration of before does not go on: {left.reason}")


def _with_settings(config: Config, settings: Mapping[str, Value]) -> Config:
    own = {key: value for key, value in config.settings.items() if not is_shared(key)}
    return replace(config, settings={**own, **settings})
