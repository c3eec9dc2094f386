"""The tasks of a system side by side: accuracy, size and cost of their retained models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mu2net_core.objects import Head, Model, System

__all__ = ["Leaderboard", "Row", "leaderboard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task.

    Attributes:
        task: its name.
        model: the retained model's id; None, like most of the rest, before the first iteration.
        iterations: task iterations behind the head.
        validation: quality on the validation split.
        test: quality on the test split.
        score: under the model's scorer.
        params: numbers in the model.
        accounted_params: the task's share of them now; what several tasks use is divided among them.
        flops: of the forward pass of one example.
        blocks: transformer blocks, as ``num_layers`` counts them; each is a component.
        components: layers of the model.
        shared_components: of these, used by the retained model of another task too.
        parent_task: of the nearest ancestor that solves another task; None if there is none before the root.
        knowledge_from: other tasks that trained a component of the model or an ancestor of one.
        readers: who may read what was learned from the task; None for everybody.
    """

    task: str
    model: str | None
    iterations: int
    validation: float | None = None
    test: float | None = None
    score: float | None = None
    params: int | None = None
    accounted_params: float | None = None
    flops: int | None = None
    blocks: int | None = None
    components: int | None = None
    shared_components: int | None = None
    parent_task: str | None = None
    knowledge_from: tuple[str, ...] = ()
    readers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """All tasks, and the system they make.

    Attributes:
        rows: by task name.
        mean_validation: over the tasks that have a model; None if there is none.
        mean_test: likewise.
        params: numbers in all retained models together, shared components counted once.
        num_components: likewise.
    """

    rows: tuple[Row, ...]
    mean_validation: float | None
    mean_test: float | None
    params: int
    num_components: int


def leaderboard(system: System) -> Leaderboard:
    """Returns the tasks of ``system`` side by side."""
    users = _users(system)
    rows = tuple(_row(system, name, head, users) for name, head in sorted(system.heads.items()))
    sizes = {
        ref.id: ref.num_params
        for head in system.heads.values()
        if head.model is not None
        for ref in head.model.components
    }
    return Leaderboard(
        rows=rows,
        mean_validation=_mean([row.validation for row in rows]),
        mean_test=_mean([row.test for row in rows]),
        params=sum(sizes.values()),
        num_components=len(sizes),
    )


def _users(system: System) -> dict[str, set[str]]:
    """Returns, by component id, the tasks whose retained models use it."""
    users: dict[str, set[str]] = {}
    for name, head in system.heads.items():
        for ref in head.model.components if head.model is not None else ():
            users.setdefault(ref.id, set()).add(name)
    return users


def _row(system: System, name: str, head: Head, users: Mapping[str, set[str]]) -> Row:
    readers = system.rules[name].readers if name in system.rules else head.task.access.readers
    model = head.model
    if model is None:
        return Row(task=name, model=None, iterations=head.commit.iteration, readers=readers)
    return Row(
        task=name,
        model=head.commit.model,
        iterations=head.commit.iteration,
        validation=model.quality,
        test=(head.refit or model).test_quality,
        score=model.score,
        params=sum(ref.num_params for ref in model.components),
        accounted_params=sum(ref.num_params / len(users[ref.id]) for ref in model.components),
        flops=model.costs.flops if model.costs is not None else None,
        blocks=_blocks(model),
        components=len(model.components),
        shared_components=sum(len(users[ref.id]) > 1 for ref in model.components),
        parent_task=_parent_task(system, name, model),
        knowledge_from=tuple(sorted(model.trained_by - {name})),
        readers=readers,
    )


def _blocks(model: Model) -> int | None:
    blocks = model.hyperparameters.get("num_layers")
    return blocks if isinstance(blocks, int) else None


def _parent_task(system: System, task: str, model: Model) -> str | None:
    ancestor: Model | None = model
    while ancestor is not None and ancestor.task == task:
        ancestor = system.model(ancestor.parent) if ancestor.parent is not None else None
    return ancestor.task if ancestor is not None else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
