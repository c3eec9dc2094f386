"""Iterations that are running or were interrupted: where they stand, what they need, whether they can go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Protocol

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Kind, Model, Seen, decode, file_name
from mu2net_core.repo import Repository
from mu2net_core.repo.history import ancestry, news
from mu2net_core.repo.remotes import Node
from mu2net_core.repo.upkeep import Tips
from mu2net_core.search import Member, Population
from mu2net_core.storage import holder_of

__all__ = [
    "Running",
    "State",
    "evolving",
    "folder_of",
    "is_published",
    "left_behind",
    "lock_of",
    "running",
    "running_tips",
    "why_stuck",
]


class State(Protocol):
    """What of an iteration's state decides whether it can go on."""

    @property
    def task(self) -> str:
        """The task's name."""
        ...

    @property
    def task_id(self) -> str:
        """Its object when the iteration began."""
        ...

    @property
    def base(self) -> str:
        """Its head's commit when the iteration began."""
        ...

    @property
    def started_at(self) -> str:
        """When that was."""
        ...


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


def folder_of(repo: Repository, task: str) -> Path:
    """Returns where a task's iteration keeps what is not published yet; what it is called does not tell the task."""
    return repo.state / "iterations" / file_name(task)


def lock_of(folder: Path) -> Path:
    """Returns the lock of the iteration that lies in ``folder``; no task's folder starts with a dot."""
    return folder.with_name(f".{folder.name}.lock")


def evolving(repo: Repository, task: str) -> int | None:
    """Returns the process that evolves a task in this working copy now; None if none does."""
    return holder_of(lock_of(folder_of(repo, task)))


def is_published(repo: Repository, state: State) -> bool:
    """Returns whether a finished iteration's commit is in the head's history already: it died while cleaning up."""
    head = repo.refs.head(state.task)
    tips = [] if head is None else [head.commit]
    commits = map(repo.objects.commit, ancestry(repo.objects, tips, without=state.base))
    mine = (one for one in commits if one.agent is not None and one.agent.id == repo.agent_id)
    return any(one.started_at == state.started_at for one in mine)


def why_stuck(repo: Repository, state: State, head: str, task_id: str) -> str | None:
    """Returns why an iteration cannot go on now that the commit ``head`` has the task ``task_id``; None if it can."""
    another = None if state.task_id == task_id else "the task was another then"
    reasons = [reason for reason in (another, left_behind(repo, state.base, head)) if reason is not None]
    return "; ".join(reasons) or None


def left_behind(repo: Repository, base: str, head: str) -> str | None:
    """Returns why an iteration that began from the commit ``base`` is not wanted any more at ``head``, in words."""
    if not repo.objects.has("commit", base):
        return "what it began from was purged"
    since = map(repo.objects.commit, news(repo.objects, base, head))
    return "the task was reset since" if any(commit.reset_to is not None for commit in since) else None


def _tips(repo: Repository, state: _State, models: list[Model]) -> Tips:
    """Returns what an iteration needs; what only its own folder has is none of the repository's."""
    nodes: set[Node] = {("task", state.task_id), ("snapshot", state.snapshot), ("commit", state.base)}
    nodes |= {("snapshot", later.snapshot) for later in state.seen}
    for model in models:
        named: list[tuple[Kind, str | None]] = [("model", model.parent), ("model", model.root), ("task", model.task_id)]
        nodes |= {(kind, oid) for kind, oid in named if oid is not None}
    members = {member.id for member in state.members}
    return Tips(
        models=frozenset(oid for oid in members if repo.objects.has("model", oid)),
        others=frozenset(node for node in nodes if repo.objects.has(*node))
        | {("component", ref.id) for model in models for ref in model.components},
    )
