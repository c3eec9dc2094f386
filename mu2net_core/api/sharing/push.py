"""Push: move a remote's heads to include our work."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.exchanges import policy_for
from mu2net_core.repo import Repository
from mu2net_core.repo.core import CONFIG, REPORTS
from mu2net_core.repo.exchange import OnConflict, preview, send_reports
from mu2net_core.repo.exchange import push as push_refs
from mu2net_core.repo.probing import check_vetted
from mu2net_core.repo.remotes import Counter, Exchange, PushPlan, Watch, connect, find_remote
from mu2net_core.storage import who_may

__all__ = ["default_remote", "plan_push", "push"]

_NOT_THERE = {"skipped", "refused", "conflict", "broken", "removed"}
"""Outcomes of tasks whose reports stay here."""


def push(
    repo: Repository,
    context: Context,
    remote: str | None = None,
    tasks: Sequence[str] = (),
    *,
    on_conflict: OnConflict = "best",
    progress: Watch | None = None,
) -> Exchange:
    """Sends our work to a remote and returns what happened; makes a repository in a new or empty folder.

    Whoever moved the same task meanwhile loses nothing: the heads are joined, here and there. Tasks that the
    remote's readers may not see are skipped and reported. Reports go with the commits that they lie beside.

    Args:
        repo: where from.
        context: of the call.
        remote: its name; by default ``origin``, or the only one.
        tasks: only these, and no tags; by default all.
        on_conflict: ``best`` keeps the better score, ``ours`` and ``theirs`` a side, ``fail`` stops.
        progress: told of every object.

    Raises:
        NotFoundError: there is no such remote or task.
        ConflictError: heads diverged and ``on_conflict`` does not join them, or a root or tag differs over there.
        AccessDeniedError: permissions forbid it.
        InvalidInputError: the remote is a folder with other things in it.
        StorageError: the remote cannot be reached, or lets writers overwrite each other.
    """
    to = find_remote(repo.config, remote)
    check_vetted(repo.state, to, now=context.now)
    sent = push_refs(
        repo,
        to,
        tasks=tasks,
        policy=policy_for(repo, context, on_conflict, verb="push"),
        counter=Counter(progress),
        clock=context.now,
    )
    there = [one.task for one in sent.tasks if one.outcome not in _NOT_THERE]
    if next(repo.store.list(REPORTS), None) is not None:
        send_reports(repo, connect(to, limits=repo.limits), there)
    return sent


def plan_push(
    repo: Repository,
    context: Context,
    remote: str | None = None,
    tasks: Sequence[str] = (),
    *,
    on_conflict: OnConflict = "best",
) -> PushPlan:
    """Returns what ``push`` would send, task by task, and changes nothing on the remote.

    Args:
        repo: where from.
        context: of the call.
        remote: its name; by default ``origin``, or the only one.
        tasks: only these, and no tags; by default all.
        on_conflict: as for ``push``; what it does not join is told as a conflict.

    Raises:
        NotFoundError: there is no such remote or task.
        ConflictError: a root differs over there.
        InvalidInputError: nothing can be sent to that place.
    """
    found = find_remote(repo.config, remote)
    policy = policy_for(repo, context, on_conflict, verb="push")
    plan = preview(repo, found, tasks=tasks, policy=policy, clock=context.now)
    file = connect(found).store.local_path(CONFIG)
    if file is not None and file.is_file():
        folder = file.parent / "objects" if (file.parent / "objects").exists() else file.parent
        if not os.access(folder, os.W_OK):
            context.warn(f"{found.name}: you may not write there, so a push would fail. {who_may(folder)}")
    return plan


def default_remote(repo: Repository) -> str:
    """Returns the name of the remote that a push goes to if none is named.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several, and none is ``origin``.
    """
    return find_remote(repo.config).name
