"""``rm-task``: a task leaves the system; its history, and what others learned from it, stays."""

from __future__ import annotations

from mu2net_core.api.context import Context
from mu2net_core.api.looking.names import task_head
from mu2net_core.api.signing.signing import committer, put_commit
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Commit, Head
from mu2net_core.repo import Repository

__all__ = ["rm_task"]


def rm_task(repo: Repository, context: Context, task: str, *, dry_run: bool = False) -> Head:
    """Removes a task and returns its last head, whose commit says so; a dry run returns the head it has.

    Raises:
        NotFoundError: there is no such task, or it was removed before.
    """
    state = task_head(repo, task)
    before = repo.objects.commit(state.commit)
    if before.removed:
        raise NotFoundError(f"The task {task} was removed already, on {before.finished_at[:19]} UTC.")
    if dry_run:
        return Head(commit_id=state.commit, commit=before, task=repo.objects.task(before.task_id), model=None)
    now = context.timestamp()
    commit = Commit(
        task=task,
        task_id=before.task_id,
        parents=(state.commit,),
        iteration=before.iteration,
        selections=before.selections,
        agent=committer(repo, context),
        started_at=now,
        finished_at=now,
        message=f"remove task {task}",
        removed=True,
    )
    commit_id = put_commit(repo, context, commit)
    repo.refs.append(task, commit_id, after=state)
    return Head(commit_id=commit_id, commit=commit, task=repo.objects.task(before.task_id), model=None)
