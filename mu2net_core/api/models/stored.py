"""The model a user means, with the task it solves."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.looking.names import find_model
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Model, Task
from mu2net_core.repo import Repository

__all__ = ["StoredModel", "stored_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model that solves a task, with that task."""

    model_id: str
    model: Model
    task: Task


def stored_model(repo: Repository, revision: str) -> StoredModel:
    """Returns the model that ``revision`` (a task, commit or model) names.

    Raises:
        NotFoundError: no such revision, or no model there yet.
        InvalidInputError: it names something that is not a model of a task.
    """
    found = find_model(repo, revision)
    if found.model.task_id is None:
        raise InvalidInputError(f"{revision!r} is a root model: it solves no task.", hint="Name a task.")
    return StoredModel(model_id=found.id, model=found.model, task=repo.objects.task(found.model.task_id))
