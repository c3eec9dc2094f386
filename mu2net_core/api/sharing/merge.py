"""Merge: move our heads to include what was fetched, without asking the remote."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.exchanges import policy_for
from mu2net_core.api.sharing.purge import kept_here
from mu2net_core.repo import Repository
from mu2net_core.repo.exchange import OnConflict, adopt, unknown_task
from mu2net_core.repo.remotes import Exchange, find_remote, read_tracking

__all__ = ["merge"]


def merge(
    repo: Repository,
    context: Context,
    remote: str | None = None,
    tasks: Sequence[str] = (),
    *,
    on_conflict: OnConflict = "best",
    require_signed: Path | None = None,
) -> Exchange:
    """Joins the heads last fetched from a remote with ours; returns what happened to each task.

    Args:
        repo: where.
        context: of the call.
        remote: its name; by default ``origin``, or the only one.
        tasks: only these; by default all that were fetched.
        on_conflict: ``best`` keeps the better score, ``ours`` and ``theirs`` a side, ``fail`` stops.
        require_signed: a file of allowed keys: a head whose new history one of them did not sign stays out; by default
            what the setting ``pull.require_signed`` names, if it does.

    Raises:
        NotFoundError: there is no such remote, or no such task was fetched from it.
        ConflictError: heads diverged and ``on_conflict`` does not join them; all others moved.
    """
    policy = policy_for(repo, context, on_conflict, require_signed=require_signed)
    source = find_remote(repo.config, remote)
    tracking = read_tracking(repo.state, source)
    for task in tasks:
        if task not in tracking.heads:
            raise unknown_task(task, tracking.heads, f"fetched from {source.name}", repo.config.remotes)
    reports = adopt(
        repo,
        tracking,
        tasks or sorted(tracking.heads),
        policy,
        remote=source,
        also=partial(kept_here, repo),
        named=tasks,
    )
    return Exchange(remote=source.name, url=source.url, tasks=reports)
