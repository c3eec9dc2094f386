"""Iterations that are running or were interrupted, and what of the repository they still need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Kind, Model, Seen, decode
from mu2net_core.repo import Repository
from mu2net_core.repo.closure import Node
from mu2net_core.repo.reach import Tips
from mu2net_core.search import Population

__all__ = ["Running", "running", "running_tips"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One task's iteration.

    Attributes:
        task: it evolves.
        folder: where it keeps what is not published yet.
        learned_from: tasks whose data trained anything in its population.
        tips: what of the repository it needs.
    """

    task: str
    folder: Path
    learned_from: frozenset[str]
    tips: Tips


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The part of an iteration's state that is of interest here."""

    task: str
    task_id: str
    base: str
    snapshot: str
    seen: tuple[Seen, ...] = ()
    population: Population


def running(repo: Repository) -> Iterator[Running]:
    """Yields the iterations whose state can be read; any other would begin anew, and needs nothing."""
    for file in sorted((repo.state / "iterations").glob("*/state.json")):
        try:
            state = decode(file.read_bytes(), _State, what=str(file))
        except (OSError, CorruptObjectError):
            continue
        models = [member.model for member in state.population.members]
        yield Running(
            task=state.task,
            folder=file.parent,
            learned_from=frozenset(task for model in models for task in model.trained_by),
            tips=_tips(repo, state, models),
        )


def running_tips(repo: Repository) -> Tips:
    """Returns what of the repository all running and interrupted iterations need."""
    return reduce(or_, (one.tips for one in running(repo)), Tips())


def _tips(repo: Repository, state: _State, models: list[Model]) -> Tips:
    """Returns what an iteration needs; what only its own folder has is none of the repository's."""
    nodes: set[Node] = {("task", state.task_id), ("snapshot", state.snapshot), ("commit", state.base)}
    nodes |= {("snapshot", later.snapshot) for later in state.seen}
    for model in models:
        named: list[tuple[Kind, str | None]] = [("model", model.parent), ("model", model.root), ("task", model.task_id)]
        nodes |= {(kind, oid) for kind, oid in named if oid is not None}
    members = {member.id for member in state.population.members}
    return Tips(
        models=frozenset(oid for oid in members if repo.objects.has("model", oid)),
        others=frozenset(node for node in nodes if repo.objects.has(*node))
        | {("component", ref.id) for model in models for ref in model.components},
    )
