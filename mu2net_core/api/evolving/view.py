"""Which system the generations of an iteration are made of: the newest, or the ones that snapshots hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Commit, Head, Seen, System
from mu2net_core.repo import Repository, load_system, load_system_then, record_snapshot
from mu2net_core.repo.history import near

__all__ = ["AsOf", "Newest", "Usable", "View", "head_of"]

Usable = Callable[[System, str], System]
"""Returns a system without the models that no child of a task can be made from."""


def head_of(system: System, task: str) -> Head:
    """Returns the head of a task; NotFoundError if there is no such task, or none any more."""
    if task not in system.heads:
        raise NotFoundError(f"There is no task {task!r}.", hint=near(task, tuple(system.heads), "mu2net tasks"))
    return system.heads[task]


class View(Protocol):
    """What an iteration on one task sees of the system."""

    def system(self, generation: int) -> System:
        """Returns the system that a generation (0 is the first) is made of, as far as its models can be parents."""
        ...

    def record(self, system: System) -> str:
        """Returns the id of the snapshot that says what the task may see of ``system``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The system as it is whenever a generation begins.

    Attributes:
        repo: the repository.
        task: of the iteration.
        usable: leaves out what cannot be a parent.
    """

    repo: Repository
    task: str
    usable: Usable

    def system(self, generation: int = 0) -> System:  # noqa: ARG002  it is the newest in every one
        """Returns the newest system; raises NotFoundError if it has no such task, or none any more."""
        system = load_system(self.repo)
        head_of(system, self.task)
        return self.usable(system, self.task)

    def record(self, system: System) -> str:
        """Stores what the task may see of ``system`` now, and returns the snapshot's id."""
        return record_snapshot(self.repo, system, self.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The system as a snapshot holds it, whatever happens meanwhile; what another agent saw, if it saw several.

    Attributes:
        repo: which has the snapshots and all that they name.
        task: of the iteration.
        usable: leaves out what cannot be a parent.
        snapshot: that the iteration begins with.
        later: from which generations on another one is seen, rising.
    """

    repo: Repository
    task: str
    usable: Usable
    snapshot: str
    later: tuple[Seen, ...] = ()
    _loaded: dict[str, System] = field(default_factory=dict, repr=False)

    @classmethod
    def replayed(cls, repo: Repository, commit: Commit, usable: Usable) -> AsOf:
        """Returns what an iteration saw, by its commit."""
        if commit.snapshot is None:
            raise InvalidInputError(f"The commit of {commit.task} ({commit.message}) is no iteration: it saw nothing.")
        later = () if commit.run is None else commit.run.seen
        return cls(repo=repo, task=commit.task, usable=usable, snapshot=commit.snapshot, later=later)

    def system(self, generation: int = 0) -> System:
        """Returns the system of the snapshot that the generation saw; raises InvalidInputError if it lacks the task."""
        oid = self._snapshot(generation)
        if oid not in self._loaded:
            system = load_system_then(self.repo, oid)
            if self.task not in system.heads:
                raise InvalidInputError(
                    f"The snapshot {oid[:10]} has no task {self.task}: no iteration on it began there."
                )
            self._loaded.clear()  # what came before is not asked for again
            self._loaded[oid] = self.usable(system, self.task)
        return self._loaded[oid]

    def record(self, system: System) -> str:
        """Returns the snapshot that ``system`` was loaded from: nothing is stored."""
        return next((oid for oid, loaded in self._loaded.items() if loaded is system), self.snapshot)

    def _snapshot(self, generation: int) -> str:
        number = bisect_right([seen.generation for seen in self.later], generation)
        return self.later[number - 1].snapshot if number else self.snapshot
