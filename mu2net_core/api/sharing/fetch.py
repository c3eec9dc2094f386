"""Fetch: bring what is new on a remote here, and leave our heads where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.exchanges import policy_for
from mu2net_core.repo import Repository
from mu2net_core.repo.exchange import bring_reports
from mu2net_core.repo.exchange import fetch as fetch_refs
from mu2net_core.repo.remotes import Counter, Exchange, Watch, connect, find_remote

__all__ = ["fetch"]


def fetch(
    repo: Repository,
    context: Context,
    remote: str | None = None,
    tasks: Sequence[str] = (),
    *,
    require_signed: Path | None = None,
    progress: Watch | None = None,
) -> Exchange:
    """Copies the history and manifests of a remote's heads, its roots and tags; returns what is new.

    Reports come with heads that moved, and those of ``tasks`` in any case. What is damaged there, foreign or cannot be
    right is reported as ``broken``, and keeps nothing else from coming.

    Args:
        repo: where to.
        context: of the call.
        remote: its name; by default ``origin``, or the only one.
        tasks: only these; by default all.
        require_signed: a file of allowed keys: tags must be signed by one of them, and logs are read more closely, as
            for ``pull``; by default what the setting ``pull.require_signed`` names, if it does.
        progress: told of every object.

    Raises:
        NotFoundError: there is no such remote, no repository there, or no such task on it.
        ConflictError: the remote is another repository.
        RemoteBehindError: the remote is behind what was seen of it; all else was fetched.
    """
    policy = policy_for(repo, context, "best", verb="fetch", require_signed=require_signed)
    reached = connect(find_remote(repo.config, remote), limits=repo.limits)
    counter = Counter(progress)
    fetched = fetch_refs(repo, reached, tasks=tasks, counter=counter, clock=context.now, policy=policy)
    moved = {one.task for one in fetched.tasks if one.outcome in {"new", "updated"}}
    bring_reports(repo, reached, moved.union(tasks))  # who names a task wants what was measured since, too
    return fetched
