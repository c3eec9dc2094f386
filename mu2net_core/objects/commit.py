"""Commits and snapshots: one move of one task's head, and the whole system at one moment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from mu2net_core.objects.names import check_name, is_identity
from mu2net_core.objects.run import Run
from mu2net_core.objects.trial import Trials
from mu2net_core.version import FORMAT

__all__ = ["Agent", "Children", "Commit", "HeadEntry", "Signature", "Snapshot", "check_identity"]

_KEY = re.compile(r"[0-9a-f]{64}")
_VALUE = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who did it.

    Attributes:
        id: of whoever numbers the slots: the working copy's own, or one that agents of several share.
        host: the machine's name.
        device: the kind that computed; ``none`` where nothing was.
        slot: which of the agents under that id it was; what is random in its work derives from it.
    """

    id: str
    host: str
    device: str
    slot: int = 0

    @property
    def counter(self) -> str:
        """What its selections are counted under: whoever takes the slot over counts as it did."""
        return f"{self.id}/{self.slot}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """What became of the children of an iteration; ``discarded`` counts by reason (``score``, ``nan``)."""

    sampled: int = 0
    kept: int = 0
    discarded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who vouches for something: an Ed25519 public key and its signature, both in lower-case hex.

    Hex, because it can be written in one way only: any other spelling is damage.
    """

    key: str
    value: str

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key) or not _VALUE.fullmatch(self.value):
            raise ValueError("a signature has a key of 64 and a value of 128 lower-case hex digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One move of a task's head.

    Attributes:
        task: the task's name.
        task_id: the task object in force.
        model: the retained model; None before the first one.
        parents: commits this one follows; two or more for a merge.
        snapshot: the system as far as this task may see it when the iteration began; None if it did not matter.
        iteration: how many task iterations the head has behind it.
        selections: for this task, how often each agent selected each model as a parent, by ``Agent.counter``:
            ``{model: {counter: times}}``.
        children: of this iteration.
        agent: None for a merge, which is the same whoever makes it.
        started_at: UTC, ISO 8601 with microseconds.
        finished_at: likewise; what "newer" means.
        message: one line.
        removed: whether this move removes the task.
        reset_to: the ancestor this commit goes back to; None if it is no reset.
        run: how the iteration was run; None if the commit is none, or does not say.
        improved: whether an iteration's best model is better than the one there was; None if the commit is none.
        refit_of: the model that ``model`` is a refit of, in the commit of a refit, which follows that of the iteration
            whose best model it is; None if the commit is none.
        trials: what the iteration tried, as far as all who may read the task may see it; None if the commit is none.
        identity: of the repository, in a commit without parents: so that a whole history is of one repository; None in
            others, which their parents bind to it.
        signature: of the commit without it; None if nobody signed.
    """

    OMITTED_IF_NONE: ClassVar = ("identity", "improved", "refit_of", "reset_to", "run", "signature", "trials")

    format: int = FORMAT
    kind: Literal["commit"] = "commit"
    task: str
    task_id: str
    model: str | None = None
    parents: tuple[str, ...] = ()
    snapshot: str | None = None
    iteration: int = 0
    selections: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    children: Children = Children()
    agent: Agent | None = None
    started_at: str
    finished_at: str
    message: str = ""
    removed: bool = False
    reset_to: str | None = None
    run: Run | None = None
    improved: bool | None = None
    refit_of: str | None = None
    trials: Trials | None = None
    identity: str | None = None
    signature: Signature | None = None

    def __post_init__(self) -> None:
        check_name(self.task, "task name")
        if len(set(self.parents)) != len(self.parents):
            raise ValueError("a commit's parents must be distinct")
        check_identity(self.identity)

    @property
    def is_merge(self) -> bool:
        """Whether this commit only joins others."""
        return len(self.parents) > 1

    @property
    def snapshots(self) -> tuple[str, ...]:
        """The snapshots this commit names: of when the work began, and of what its generations saw later."""
        seen = () if self.run is None else (later.snapshot for later in self.run.seen)
        return tuple(dict.fromkeys(oid for oid in (self.snapshot, *seen) if oid is not None))

    @property
    def device_s(self) -> float:
        """Seconds that devices worked on it, all together: as its run says, else from its beginning to its end."""
        if self.run is not None and self.run.device_s is not None:
            return self.run.device_s
        began, ended = map(datetime.fromisoformat, (self.started_at, self.finished_at))
        return max((ended - began).total_seconds(), 0.0)

    def times_selected(self, model: str) -> int:
        """Returns how often ``model`` was a parent for this task, over all agents."""
        return sum(self.selections.get(model, {}).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The system at one moment: the head commit of each task, and the root models by name.

    Attributes:
        heads: commit id by task name; as stored with a ``base``, only those that it lacks or that moved since.
        roots: model id by name.
        base: the snapshot that holds all other heads; None if there are none.
        tag: the name of the tag it was made for; None for any other.
        identity: of the repository, in one that was made for a tag; None for any other.
        signature: of the snapshot, its tag's name included, without it; None if nobody signed.
    """

    OMITTED_IF_NONE: ClassVar = ("base", "identity", "tag", "signature")

    format: int = FORMAT
    kind: Literal["snapshot"] = "snapshot"
    heads: Mapping[str, str]
    roots: Mapping[str, str]
    base: str | None = None
    tag: str | None = None
    identity: str | None = None
    signature: Signature | None = None

    def __post_init__(self) -> None:
        check_identity(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadEntry:
    """One numbered, create-once file of a head's log: the commit it moved to, and the previous entry's hash."""

    format: int = FORMAT
    commit: str
    previous: str | None


def check_identity(identity: str | None) -> None:
    """Raises ValueError if ``identity`` is neither None nor that of a repository."""
    if identity is not None and not is_identity(identity):
        raise ValueError("the identity of a repository has 32 lower-case hex digits")
