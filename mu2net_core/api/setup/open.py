"""Opening the repository a command works on."""

from __future__ import annotations

from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.settings.limits import effective_limits
from mu2net_core.errors import ConflictError
from mu2net_core.repo import Repository, find_repository, open_repository
from mu2net_core.repo.core import clone_marker
from mu2net_core.storage import translated

__all__ = ["open_repo"]


def open_repo(path: Path | str | None, context: Context) -> Repository:
    """Returns the repository at ``path``, or without one the repository the current folder lies in.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: it is of a future format.
        ConflictError: it is a clone that was cut off.
    """
    folder = find_repository(context.cwd) if path is None else context.cwd / Path(path).expanduser()
    repo = open_repository(folder, limits_of=lambda config: effective_limits(context, config.settings))
    marker = clone_marker(repo.path)
    if marker.is_file():
        with translated("read", marker):
            url = marker.read_text().partition("\n")[0]
        raise ConflictError(
            f"The repository {repo.worktree} is a clone that was cut off, or is still under way.",
            hint=f"Run the same command again, it goes on from there: mu2net clone {url} {repo.worktree}",
        )
    return repo
