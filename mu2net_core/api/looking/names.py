"""From what a user types to a task's head or a model; an unknown name gets near ones."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import Model, check_name
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.history import near, resolve

__all__ = ["FoundModel", "find_model", "task_head"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model that a revision names, and the commit it was found through, if any."""

    id: str
    model: Model
    commit: str | None = None


def task_head(repo: Repository, task: str) -> HeadState:
    """Returns where the head of a task stands; removed tasks have one too.

    Raises:
        NotFoundError: there is no such task; near names are in the hint.
    """
    try:
        state = repo.refs.head(check_name(task, "task name"))
    except InvalidInputError:
        state = None
    if state is None:
        raise NotFoundError(f"There is no task {task!r}.", hint=near(task, repo.refs.tasks(), "mu2net tasks"))
    return state


def find_model(repo: Repository, revision: str) -> FoundModel:
    """Returns the model that a task, a place in its history, a root or an id names.

    Raises:
        NotFoundError: nothing is called so, or the task has no model there.
        InvalidInputError: it names something that has no one model, such as a tag.
        CorruptObjectError: the commit retains a model of another task.
    """
    found = resolve(repo, revision)
    if found.kind == "model":
        return FoundModel(id=found.id, model=repo.objects.model(found.id))
    if found.kind != "commit":
        raise InvalidInputError(f"{revision!r} is a {found.kind}; expected a task, a commit or a model.")
    commit = repo.objects.commit(found.id)
    if commit.removed:
        raise NotFoundError(
            f"The task {commit.task} was removed.", hint=f"Its last model before that: {commit.task}~1, if it had one."
        )
    if commit.model is None and found.id != task_head(repo, commit.task).commit:
        raise NotFoundError(
            f"The task {commit.task} had no model yet at {found.id[:10]}.", hint=f"See mu2net log {commit.task}"
        )
    if commit.model is None:
        raise NotFoundError(
            f"The task {commit.task} has no model yet.", hint=f"Make one: mu2net evolve --task {commit.task}"
        )
    model = repo.objects.model(commit.model)
    if model.task != commit.task:
        raise CorruptObjectError(
            f"The commit {found.id[:16]} of the task {commit.task} retains the model {commit.model[:16]}, which is of "
            f"{model.task or 'no task'}. It was not used.",
            hint=f"An earlier state: mu2net log {commit.task}, then mu2net reset {commit.task} COMMIT",
        )
    return FoundModel(id=commit.model, model=model, commit=found.id)
