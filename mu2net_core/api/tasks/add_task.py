"""``add-task``: a data set becomes a task, with exact splits and fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mu2net_core.api.context import Context
from mu2net_core.api.quiet import ignore
from mu2net_core.api.signing.signing import committer, put_commit
from mu2net_core.api.tasks.choosing import Chosen, with_root
from mu2net_core.api.tasks.examine import examine, exists
from mu2net_core.api.tasks.options import NOTHING_SAID, TaskOptions
from mu2net_core.data import is_catalogue
from mu2net_core.errors import ConflictError, InvalidInputError
from mu2net_core.objects import Commit, Head
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.core import DATA
from mu2net_core.repo.history import ancestry, head_with, is_at_purge

__all__ = ["add_task", "was_purged"]


def add_task(
    repo: Repository,
    context: Context,
    uri: str,
    options: TaskOptions = NOTHING_SAID,
    *,
    on_skipped: Callable[[str], None] = ignore,
    on_choice: Callable[[Chosen], None] = ignore,
) -> Head:
    """Adds a task and returns its head.

    Where the data lies on this machine is noted in this machine's settings; of a path the task has the last part only.
    It has no model yet, unless the task was removed and is the same again (data, splits, options, readers): then the
    last model it had before is taken up. In a repository of ``auto`` it gets a preset of its own, and that a root.

    Args:
        repo: where to add it.
        context: of this process.
        uri: of the data set: ``cmaterdb/bangla``, ``folder:PATH``, ``archive:PATH``, ``npz:PATH``,
            ``sklearn:digits``, ``csv:PATH``, ``jsonl:PATH``, ``parquet:PATH``, ``datasets:PATH``,
            ``webdataset:PATH``, or a path (``data.csv``).
        options: what is said of it.
        on_skipped: called with the name of each broken image left out.
        on_choice: told which preset the task got, and why, in a repository of ``auto``.

    Raises:
        AlreadyExistsError: there is a task of that name.
        InvalidInputError: a name, split or option that cannot be right, or a URI with a password or key in it.
        NotFoundError: no such data set, or preset.
        DataError: the data cannot be used as it is.
    """
    found = examine(repo, context, uri, options)
    task, before, place, choice = found.described.task, found.before, found.place, found.choice
    name = task.name
    removal = repo.objects.commit(before.commit) if before is not None else None
    for skipped in found.described.skipped:
        on_skipped(skipped)
    for remark in found.remarks:
        context.warn(remark)
    if choice is not None:
        on_choice(with_root(repo, choice))
    task_id = repo.objects.put(task)
    model = None if before is None else _last_model(repo, before, task_id)
    commit = Commit(
        task=name,
        task_id=task_id,
        model=model,
        parents=(before.commit,) if before is not None else (),
        identity=repo.identity if before is None else None,
        iteration=removal.iteration if removal is not None else 0,
        selections=removal.selections if removal is not None else {},
        agent=committer(repo, context),
        started_at=found.started_at,
        finished_at=context.timestamp(),
        message=f"add task {name}" + (" again, with its last model" if model is not None else ""),
    )
    commit_id = put_commit(repo, context, commit)
    try:
        repo.refs.append(name, commit_id, after=before)
    except ConflictError as exc:
        raise exists(name) from exc
    if not is_catalogue(place):
        _keep_place(repo, context, name, place)
    return replace(head_with(repo, commit_id), task=task)  # its splits in their own order


def was_purged(repo: Repository, head: Head) -> bool:
    """Returns whether a task that was just added is one that was purged before."""
    return any(is_at_purge(repo.objects, parent) for parent in head.commit.parents)


def _last_model(repo: Repository, before: HeadState, task_id: str) -> str | None:
    """Returns the newest model of the task's history that was made for the very same task object, or None."""
    commits = map(repo.objects.commit, ancestry(repo.objects, [before.commit]))
    return next((commit.model for commit in commits if commit.model is not None and commit.task_id == task_id), None)


def _keep_place(repo: Repository, context: Context, name: str, source: str) -> None:
    """Notes where the data lies on this machine: whoever added the task said so here, and that never goes along."""
    try:
        repo.update_config(lambda config: config.with_setting(f"{DATA}{name}", source))
    except (ConflictError, InvalidInputError) as exc:
        context.warn(f"where the data of {name} lies could not be noted: {exc.message}")
