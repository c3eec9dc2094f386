"""Pull: fetch, then move our heads along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mu2net_core.api.context import Context
from mu2net_core.api.fetch import fetch
from mu2net_core.api.merge import merge
from mu2net_core.repo import Repository
from mu2net_core.repo.join import OnConflict
from mu2net_core.repo.outcomes import Exchange, Watch

__all__ = ["pull"]


def pull(
    repo: Repository,
    context: Context,
    remote: str | None = None,
    tasks: Sequence[str] = (),
    *,
    on_conflict: OnConflict = "best",
    progress: Watch | None = None,
) -> Exchange:
    """Brings a remote's work here: heads only behind move along, diverged ones are joined; returns what happened.

    Args:
        repo: where to.
        context: of the call.
        remote: its name; by default ``origin``, or the only one.
        tasks: only these (and tasks they learned from that are unknown here); by default all.
        on_conflict: ``best`` keeps the better score, ``ours`` and ``theirs`` a side, ``fail`` stops.
        progress: told of every object.

    Raises:
        NotFoundError: there is no such remote, no repository there, or no such task on it.
        ConflictError: heads diverged and ``on_conflict`` does not join them; all others moved.
    """
    fetched = fetch(repo, context, remote, tasks, progress=progress)
    merged = merge(repo, context, fetched.remote, tasks, on_conflict=on_conflict)
    return replace(fetched, tasks=merged.tasks)
