"""The commits of a working copy, read once: what the log and the access rules need of them, in one local file.

The file is ``state/history`` (see ``notes``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from mu2net_core.objects import Agent, Commit, Run
from mu2net_core.repo.core import Repository
from mu2net_core.repo.history.notes import HISTORY_FILE, Notes

__all__ = ["History", "How", "Past"]

_VERSION = b"mu2net-history-6"
_WORTH = 200


class How(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How an iteration was run, in few numbers.

    Attributes:
        seed: of the user.
        preset: its name.
        method: of the search; None for the preset's own.
        validations: training cycles per child; None for the preset's own.
        generations: how many there were to be.
        done: how many there were.
        children: per generation.
    """

    seed: int
    preset: str
    method: str | None
    validations: int | None
    generations: int
    done: int
    children: int

    @classmethod
    def of(cls, run: Run) -> How:
        """Returns the same of what a commit says."""
        method, validations = run.settings.get("evolve.method"), run.settings.get("evolve.validations")
        return cls(
            seed=run.seed,
            preset=run.preset,
            method=method if isinstance(method, str) else None,
            validations=validations if isinstance(validations, int) else None,
            generations=run.generations,
            done=run.done,
            children=run.children,
        )


class Past(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A commit and what its model reached.

    Attributes:
        oid: the commit's id.
        quality: of its model on the validation split.
        test_quality: on the test split.
        sampled: children of the iteration; likewise ``kept`` and ``discarded``.
        device_s: that devices worked on it.
        how: the iteration was run; None of what is none, or does not say.

    The others are those of the commit.
    """

    oid: str
    task: str
    task_id: str
    model: str | None
    parents: tuple[str, ...]
    quality: float | None
    test_quality: float | None
    snapshot: str | None
    iteration: int
    sampled: int
    kept: int
    discarded: Mapping[str, int]
    how: How | None
    improved: bool | None
    refit_of: str | None
    agent: Agent | None
    started_at: str
    finished_at: str
    device_s: float
    message: str
    removed: bool
    reset_to: str | None

    @property
    def is_merge(self) -> bool:
        """Whether the commit only joins others."""
        return len(self.parents) > 1


class History:
    """The past of one working copy, read from the file as far as that knows, from the objects otherwise."""

    def __init__(self, repo: Repository) -> None:
        self._objects = repo.objects
        self._notes = Notes(repo.path / HISTORY_FILE, _VERSION, Past)

    def past(self, oid: str) -> Past:
        """Returns what is to know of a commit."""
        return self._notes.get(oid) or self._notes.add(self._past(oid, self._objects.commit(oid)))

    def walk(self, tips: Iterable[str]) -> Iterator[Past]:
        """Yields the commits ``tips`` and all before them, each once, nearest first; notes at the end what was new."""
        queue = list(dict.fromkeys(tips))
        seen = set(queue)
        for oid in queue:  # grows while it is walked
            past = self.past(oid)
            yield past
            fresh = [parent for parent in past.parents if parent not in seen]
            seen.update(fresh)
            queue.extend(dict.fromkeys(fresh))
        self.keep()

    def keep(self) -> None:
        """Writes the file again if enough was new to be worth it; where that fails, it is read again next time."""
        self._notes.keep(_WORTH)

    def _past(self, oid: str, commit: Commit) -> Past:
        model = self._objects.model(commit.model) if commit.model is not None else None
        return Past(
            oid=oid,
            task=commit.task,
            task_id=commit.task_id,
            model=commit.model,
            parents=commit.parents,
            quality=model.quality if model is not None else None,
            test_quality=model.test_quality if model is not None else None,
            snapshot=commit.snapshot,
            iteration=commit.iteration,
            sampled=commit.children.sampled,
            kept=commit.children.kept,
            discarded=commit.children.discarded,
            how=How.of(commit.run) if commit.run is not None else None,
            improved=commit.improved,
            refit_of=commit.refit_of,
            agent=commit.agent,
            started_at=commit.started_at,
            finished_at=commit.finished_at,
            device_s=commit.device_s,
            message=commit.message,
            removed=commit.removed,
            reset_to=commit.reset_to,
        )
