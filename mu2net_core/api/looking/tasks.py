"""``tasks``: what the system is to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mu2net_core.objects import Commit, Task, unknown_in
from mu2net_core.repo import Repository
from mu2net_core.repo.core import PURGED_SOURCE

__all__ = ["TaskInfo", "tasks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """One task.

    Attributes:
        name: of the task.
        source: URI of its data, version pinned; empty if it was purged.
        input: the kind of what goes in: ``image``, ``text``, ``table``, or one that this version does not know.
        output: the kind of what comes out: ``classes``, ``labels``, ``number``, or likewise.
        num_outputs: how many classes or labels there are; 1 for a number, 0 if it is not known.
        metric: how quality is measured.
        unknown: what of the task this version does not know, so that it cannot train it; None if it knows all.
        num_examples: per split.
        splits: the specification of each split.
        readers: who may read what is learned from it; None for everybody.
        private: whether that is only the task itself.
        iterations: task iterations behind its head.
        model: the retained model's id, None before the first one.
        validation: the model's quality on the validation split.
        test: on the test split.
        removed: whether it was removed.
        purged: whether its history was deleted for good; then all that is known is its name and readers.
    """

    name: str
    source: str
    input: str
    output: str
    num_outputs: int
    metric: str
    unknown: str | None = None
    num_examples: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[str, ...] | None = None
    private: bool = False
    iterations: int = 0
    model: str | None = None
    validation: float | None = None
    test: float | None = None
    removed: bool = False
    purged: bool = False


def tasks(repo: Repository, *, removed: bool = False) -> tuple[TaskInfo, ...]:
    """Returns the tasks by name.

    Args:
        repo: the repository.
        removed: list removed ones too.
    """
    commits = (repo.objects.commit(state.commit) for state in repo.refs.heads().values())
    return tuple(_info(repo, commit) for commit in commits if removed or not commit.removed)


def _info(repo: Repository, commit: Commit) -> TaskInfo:
    task = repo.objects.task(commit.task_id)
    if commit.removed and task.source == PURGED_SOURCE:
        return _purged(task)
    model = repo.objects.model(commit.model) if commit.model is not None else None
    return TaskInfo(
        name=task.name,
        source=task.source,
        input=task.input.kind,
        output=task.output.kind,
        num_outputs=task.output.size,
        metric=task.metric,
        unknown=unknown_in(task),
        num_examples={name: split.num_examples for name, split in task.splits.items()},
        splits={name: split.spec for name, split in task.splits.items()},
        readers=task.access.readers,
        private=_is_private(task),
        iterations=commit.iteration,
        model=commit.model,
        validation=model.quality if model is not None else None,
        test=model.test_quality if model is not None else None,
        removed=commit.removed,
    )


def _purged(task: Task) -> TaskInfo:
    """Returns what is left of a purged task: what stands in its place in the repository tells nothing."""
    return TaskInfo(
        name=task.name,
        source="",
        input="",
        output="",
        num_outputs=0,
        metric="",
        readers=task.access.readers,
        private=_is_private(task),
        removed=True,
        purged=True,
    )


def _is_private(task: Task) -> bool:
    return task.access.readers == (task.name,)
