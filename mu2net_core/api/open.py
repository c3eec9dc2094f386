"""Opening the repository a command works on."""

from __future__ import annotations

from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.limits import effective_limits
from mu2net_core.repo import Repository, find_repository, open_repository

__all__ = ["open_repo"]


def open_repo(path: Path | str | None, context: Context) -> Repository:
    """Returns the repository at ``path``, or without one the repository the current folder lies in.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: it is of a future format.
    """
    folder = find_repository(context.cwd) if path is None else context.cwd / Path(path).expanduser()
    return open_repository(folder, limits_of=lambda config: effective_limits(context, config.settings))
