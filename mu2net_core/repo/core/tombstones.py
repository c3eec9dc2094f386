"""What was purged: tombstones that outlive it, so that nobody brings it back unknowingly.

A purge deletes a task's history and what only that task reached. Its head stays, moved to a *purge commit*: one that
removes the task, follows nothing, and names a task object that tells nothing of the data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import (
    KINDS,
    PUBLIC,
    SPLITS,
    AccessRule,
    Classes,
    Commit,
    Image,
    Kind,
    Signature,
    Split,
    Task,
    check_identity,
    check_name,
    check_oid,
    intersect,
)
from mu2net_core.version import FORMAT

if TYPE_CHECKING:
    from mu2net_core.repo.core.database import ObjectDatabase
    from mu2net_core.repo.core.refs import Refs

__all__ = ["PURGED_SOURCE", "Purged", "Tombstone", "begins_anew", "is_purge", "purged_commits", "redacted_task"]

PURGED_SOURCE = "purged:"
"""The source of a task whose data nothing tells of any more."""


class Commits(Protocol):
    """Where commits are looked up, e.g. an object database."""

    def commit(self, oid: str) -> Commit:
        """Returns a commit by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What one purge took away; a large one has several.

    Attributes:
        task: the task's name.
        through: number of the last entry of its head whose commit may be gone.
        roots: the parentless commits of the purged history: what any other copy of it begins with.
        objects: ``<kind>/<id>`` of what only this task reached, sorted.
        purged_at: UTC, ISO 8601 with microseconds.
        identity: of the repository it was purged from.
        access: who may read what others learned from the task, as whoever purged it knew.
        signature: of the tombstone without it; None if nobody signed.
    """

    OMITTED_IF_NONE: ClassVar = ("signature",)

    format: int = FORMAT
    task: str
    through: int
    roots: tuple[str, ...]
    objects: tuple[str, ...]
    purged_at: str
    identity: str
    access: AccessRule
    signature: Signature | None = None

    def __post_init__(self) -> None:
        check_name(self.task, "task name")
        check_identity(self.identity)
        for oid in self.roots:
            check_oid(oid)
        if self.through < 0 or list(self.objects) != sorted(set(self.objects)):
            raise ValueError("a tombstone lists distinct objects in order, and entries by number")
        for node in self.nodes:
            check_oid(node[1])

    @property
    def nodes(self) -> tuple[tuple[Kind, str], ...]:
        """Kind and id of every object in ``objects``."""
        return tuple(_node(text) for text in self.objects)


class Purged:
    """All that was purged from one repository, as its tombstones say.

    Attributes:
        tasks: names of the tasks purged, whether added again since or not.
        rules: who may read what each of these taught, as whoever purged it knew.
    """

    def __init__(self, tombstones: Iterable[Tombstone] = ()) -> None:
        stones = tuple(tombstones)
        self.tasks = frozenset(stone.task for stone in stones)
        self.rules: dict[str, AccessRule] = {}
        self._nodes: dict[tuple[Kind, str], str] = {}
        self._shared: set[tuple[str, tuple[Kind, str]]] = set()
        for stone in stones:
            for node in stone.nodes:
                if self._nodes.setdefault(node, stone.task) != stone.task:
                    self._shared.add((stone.task, node))
        self._roots = {oid: stone.task for stone in stones for oid in stone.roots}
        self._through: dict[str, int] = {}
        for stone in stones:
            self._through[stone.task] = max(stone.through, self._through.get(stone.task, 0))
            self.rules[stone.task] = intersect([self.rules.get(stone.task, PUBLIC), stone.access])

    @classmethod
    def read(cls, refs: Refs) -> Purged:
        """Returns what was purged from the repository of ``refs``; one listing, one read per tombstone.

        Raises:
            CorruptObjectError: a tombstone is damaged.
        """
        return cls(refs.every_tombstone())

    def __bool__(self) -> bool:
        return bool(self.tasks)

    def lists(self, node: tuple[Kind, str]) -> str | None:
        """Returns the purged task that only reached the object ``node`` then, so that it may be gone; else None."""
        return self._nodes.get(node)

    def is_listed(self, node: tuple[Kind, str], task: str) -> bool:
        """Returns whether tombstones of that very task list the object ``node``, whichever else do."""
        return self._nodes.get(node) == task or (task, node) in self._shared

    def starting(self, prefix: str) -> tuple[tuple[Kind, str], ...]:
        """Returns the objects listed whose id starts with ``prefix``."""
        return tuple(node for node in self._nodes if node[1].startswith(prefix))

    def missing(self, objects: ObjectDatabase, nodes: Iterable[tuple[Kind, str]]) -> str | None:
        """Returns the purged task that took one of ``nodes`` from ``objects``; None if none of them is gone so."""
        return next((task for node in nodes if (task := self.lists(node)) and not objects.has(*node)), None)

    def forbids(self, node: tuple[Kind, str]) -> str | None:
        """Returns the purged task whose knowledge the object ``node`` is, so that it must not come back; else None.

        A task object may come back: who adds the same data again decided so. So may a snapshot, which is no task's.
        """
        return None if node[0] in {"task", "snapshot"} else self._nodes.get(node)

    def covers_commit(self, commits: Commits, commit_id: str) -> str | None:
        """Returns the purged task whose old history the commit ``commit_id`` continues; None if it does not.

        Args:
            commits: where they are looked up; one that is not there ends its line.
            commit_id: of any commit. The purge commit and what follows it are none of the old history.
        """
        queue = [commit_id] if self else []
        seen = set(queue)
        for oid in queue:  # grows while it is walked
            task = self._roots.get(oid) or self._nodes.get(("commit", oid))
            if task is not None:
                return task
            try:
                fresh = [parent for parent in commits.commit(oid).parents if parent not in seen]
            except NotFoundError:
                continue
            seen.update(fresh)
            queue.extend(dict.fromkeys(fresh))
        return None

    def covers_entry(self, task: str, number: int) -> bool:
        """Returns whether the commit that an entry of a head names may be gone."""
        return number <= self._through.get(task, 0)


def is_purge(commit: Commit) -> bool:
    """Returns whether ``commit`` is where a purge left a head: it removes a task and follows nothing."""
    return commit.removed and not commit.parents


def begins_anew(commits: Commits, commit_id: str) -> bool:
    """Returns whether a commit's history begins with purges alone: it is one, or was made after them.

    Args:
        commits: where they are looked up; a history that is not there as a whole may have begun with anything.
        commit_id: of any commit.
    """
    queue = [commit_id]
    seen = set(queue)
    for oid in queue:  # grows while it is walked
        try:
            commit = commits.commit(oid)
        except NotFoundError:
            return False
        if not commit.parents and not is_purge(commit):
            return False
        fresh = [parent for parent in commit.parents if parent not in seen]
        seen.update(fresh)
        queue.extend(dict.fromkeys(fresh))
    return True


def redacted_task(name: str, access: AccessRule) -> Task:
    """Returns what stays of a task: its name, and who may read what others learned from it.

    All else is the least that a task can have, the same for every data set.
    """
    nothing = Split(spec="purged", slices=(), num_examples=1, fingerprint="")
    return Task(
        name=name,
        source=PURGED_SOURCE,
        splits=dict.fromkeys(SPLITS, nothing),
        input=Image(height=None, width=None, channels=1),
        output=Classes(names=("purged",)),
        metric="accuracy",
        access=access,
    )


def purged_commits(stones: Iterable[Tombstone], task: str) -> tuple[str, ...]:
    """Returns the ids of the commits of a task that purges took, those that its history began with first."""
    own = [stone for stone in stones if stone.task == task]
    begins = [oid for stone in own for oid in stone.roots]
    return tuple(dict.fromkeys([*begins, *(oid for stone in own for kind, oid in stone.nodes if kind == "commit")]))


def _node(text: str) -> tuple[Kind, str]:
    kind, _, oid = text.partition("/")
    for known in KINDS:
        if kind == known:
            return known, oid
    raise ValueError(f"a tombstone lists an object of the unknown kind {kind[:40]!r}")
