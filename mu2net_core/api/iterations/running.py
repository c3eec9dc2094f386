"""Iterations that are running or were interrupted: where they lie, and what of the repository they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Kind, Model, Seen, decode, file_name
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Node
from mu2net_core.repo.upkeep import Tips
from mu2net_core.search import Member, Population
from mu2net_core.storage import holder_of

__all__ = [
    "Running",
    "evolving",
    "folder_of",
    "folders_of",
    "lock_of",
    "running",
    "running_tips",
    "slot_of",
]


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
class _Search:
    """The part of what a search method knows that needs something of the repository."""

    population: Population


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """The part of an iteration's state that says what it needs."""

    task: str
    task_id: str
    base: str
    snapshot: str
    seen: tuple[Seen, ...] = ()
    search: _Search

    @property
    def members(self) -> tuple[Member, ...]:
        """The models that are alive."""
        return self.search.population.members


def running(repo: Repository) -> Iterator[Running]:
    """Yields the iterations whose state can be read; any other can never go on, and needs nothing."""
    for file in sorted((repo.state / "iterations").glob("*/state.json")):
        try:
            state = decode(file.read_bytes(), _State, what=str(file))
        except (OSError, CorruptObjectError):
            continue
        models = [member.model for member in state.members]
        yield Running(
            task=state.task,
            folder=file.parent,
            learned_from=frozenset(task for model in models for task in model.trained_by),
            tips=_tips(repo, state, models),
        )


def running_tips(repo: Repository, but: str | None = None) -> Tips:
    """Returns what of the repository all running and interrupted iterations need, ``but`` for one task's."""
    return reduce(or_, (one.tips for one in running(repo) if one.task != but), Tips())


def folder_of(repo: Repository, task: str, slot: int = 0) -> Path:
    """Returns where an agent keeps what is not published yet of a task's iteration; its name does not tell the task."""
    name = file_name(task)
    return repo.state / "iterations" / (f"{name}-{slot}" if slot else name)


def slot_of(folder: Path) -> int:
    """Returns the slot of the agent whose ``folder`` it is."""
    return int(folder.name.partition("-")[2] or 0)


def folders_of(repo: Repository, tasks: Iterable[str]) -> Mapping[str, tuple[Path, ...]]:
    """Returns by task where the agents of all slots keep what they have of iterations on it; looks once for all."""
    found = _by_name(repo)
    return {task: tuple(found.get(file_name(task), ())) for task in tasks}


def lock_of(folder: Path) -> Path:
    """Returns the lock of the iteration that lies in ``folder``; no task's folder starts with a dot."""
    return folder.with_name(f".{folder.name}.lock")


def evolving(repo: Repository, tasks: Iterable[str]) -> Mapping[str, int]:
    """Returns by task a process that evolves it here now, if any does, that of the lowest slot; looks once for all."""
    found = _by_name(repo)
    locks = ((task, lock) for task in tasks for lock in reversed(found.get(f".{file_name(task)}", ())))  # the last wins
    return {task: holder for task, lock in locks if (holder := holder_of(lock)) is not None}


def _by_name(repo: Repository) -> Mapping[str, list[Path]]:
    """Returns the folders and locks of iterations by their names without slots; of one name the lowest slot first."""
    found: dict[str, list[Path]] = {}
    files = (repo.state / "iterations").glob("*")
    for file in sorted(files, key=lambda file: (len(file.name), file.name)):  # slot 0 has no number, 2 is before 10
        found.setdefault(file.name.removesuffix(".lock").partition("-")[0], []).append(file)
    return found


def _tips(repo: Repository, state: _State, models: list[Model]) -> Tips:
    """Returns what an iteration needs; what only its own folder has is none of the repository's."""
    nodes: set[Node] = {("task", state.task_id), ("snapshot", state.snapshot), ("commit", state.base)}
    nodes |= {("snapshot", later.snapshot) for later in state.seen}
    for model in models:
        named: list[tuple[Kind, str | None]] = [("model", model.root), ("task", model.task_id)]
        named += [("model", source) for source in model.sources]
        nodes |= {(kind, oid) for kind, oid in named if oid is not None}
    members = {member.id for member in state.members}
    return Tips(
        models=frozenset(oid for oid in members if repo.objects.has("model", oid)),
        others=frozenset(node for node in nodes if repo.objects.has(*node))
        | {("component", ref.id) for model in models for ref in model.components},
    )
