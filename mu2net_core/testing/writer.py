"""Whoever may write in a remote: puts there whatever bytes it likes, under whatever key."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mu2net_core.objects import Agent, Commit, Kind, Model, Snapshot, Task, encode, hash_bytes, object_key
from mu2net_core.repo import HeadState
from mu2net_core.repo.database import Manifest, ObjectDatabase
from mu2net_core.repo.refs import Refs
from mu2net_core.storage import Store
from mu2net_core.testing.samples import SAMPLE_IDENTITY, sample_task

__all__ = ["MADE_AT", "Writer"]

MADE_AT = "2026-01-02T00:00:00.000000+00:00"
_KINDS: dict[type[Manifest], Kind] = {Commit: "commit", Model: "model", Snapshot: "snapshot", Task: "task"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes to a remote without asking whether it makes sense.

    Attributes:
        store: the remote's.
    """

    store: Store

    @property
    def refs(self) -> Refs:
        """The remote's refs."""
        return Refs(self.store)

    @property
    def objects(self) -> ObjectDatabase:
        """The remote's objects."""
        return ObjectDatabase(self.store)

    def put(self, value: Manifest) -> str:
        """Stores a manifest, whatever it says; returns its id."""
        data = encode(value)
        oid = hash_bytes(data)
        self.store.create(object_key(_KINDS[type(value)], oid), data)
        return oid

    def write(self, key: str, data: bytes) -> None:
        """Writes a file, whatever is there."""
        self.store.delete(key)
        self.store.create(key, data)

    def head(self, task: str) -> HeadState:
        """Returns where a head stands."""
        state = self.refs.head(task)
        assert state is not None
        return state

    def move(self, task: str, commit: Commit | str) -> str:
        """Appends an entry to a head, or begins one; returns the commit's id."""
        oid = commit if isinstance(commit, str) else self.put(commit)
        self.refs.append(task, oid, after=self.refs.head(task))
        return oid

    def first(self, task: str, definition: Task | None = None, identity: str | None = SAMPLE_IDENTITY) -> Commit:
        """Returns the commit that adds a task; its task object is stored."""
        return Commit(
            task=task,
            task_id=self.put(definition or sample_task(task)),
            agent=Agent(id="e" * 32, host="evil", device="cpu"),
            started_at=MADE_AT,
            finished_at=MADE_AT,
            message=f"add {task}",
            identity=identity,
        )

    def next(self, task: str) -> Commit:
        """Returns a commit that could follow a head and says the same, not stored."""
        state = self.head(task)
        before = self.objects.commit(state.commit)
        plain = replace(before, identity=None, run=None, reset_to=None, snapshot=None, signature=None)
        agent = Agent(id="e" * 32, host="evil", device="cpu")
        return replace(plain, parents=(state.commit,), agent=agent, message="evil", finished_at=MADE_AT)

    def model(self, task: str) -> Model:
        """Returns the model that a head retains."""
        model_id = self.objects.commit(self.head(task).commit).model
        assert model_id is not None
        return self.objects.model(model_id)
