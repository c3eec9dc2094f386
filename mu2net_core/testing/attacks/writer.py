"""Whoever may write in a repository or remote: puts there whatever bytes they like, under whatever key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self

from mu2net_core.objects import Agent, Commit, Kind, Model, Task, encode, hash_bytes, object_key
from mu2net_core.repo import HeadState, ObjectDatabase, Refs, Remote, Repository
from mu2net_core.repo.core import MANIFESTS, Manifest, entry_key, new_epoch
from mu2net_core.repo.remotes import Node, connect, load_manifest, needs
from mu2net_core.storage import Store
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, sample_task

__all__ = ["EVIL", "MADE_AT", "Writer"]

MADE_AT: Final = "2026-01-02T00:00:00.000000+00:00"
EVIL: Final = Agent(id="e" * 32, host="evil", device="cpu")
_KINDS: dict[type[Manifest], Kind] = {value: kind for kind, value in MANIFESTS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes without asking whether it makes sense, and without any key of anybody.

    Attributes:
        store: where.
        at: when what it makes is said to have been made.
    """

    store: Store
    at: str = MADE_AT

    @classmethod
    def into(cls, place: Repository | Remote) -> Self:
        """Returns one who may write to ``place``."""
        return cls(store=(connect(place) if isinstance(place, Remote) else place).store)

    @property
    def refs(self) -> Refs:
        """The refs there, read anew."""
        return Refs(self.store)

    @property
    def objects(self) -> ObjectDatabase:
        """The objects there, read anew."""
        return ObjectDatabase(self.store)

    def write(self, key: str, data: bytes) -> None:
        """Writes a file, whatever is there."""
        self.store.delete(key)
        self.store.create(key, data)

    def put(self, value: Manifest) -> str:
        """Stores a manifest, whatever it says; returns its id."""
        return self.created(value)[0]

    def created(self, value: Manifest) -> tuple[str, bool]:
        """Stores a manifest, whatever it says; returns its id, and whether it was not there yet."""
        data = encode(value)
        oid = hash_bytes(data)
        return oid, self.store.create(object_key(_KINDS[type(value)], oid), data)

    def bring(self, source: Repository, *tips: Node) -> None:
        """Puts objects of another repository there, with all that they need."""
        there, pending, seen = self.objects, list(tips), set[Node]()
        while pending:
            kind, oid = node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            there.put_bytes(kind, source.objects.read(kind, oid))
            if kind != "component":
                pending += needs(load_manifest(source.objects, node))
            if kind == "model":
                pending += [("component", ref.id) for ref in source.objects.model(oid).components]

    def head(self, task: str) -> HeadState:
        """Returns where a head stands."""
        state = self.refs.head(task)
        assert state is not None, f"{task} has no head"
        return state

    def tip(self, task: str) -> Commit:
        """Returns the commit that a head names."""
        return self.objects.commit(self.head(task).commit)

    def model_id(self, task: str) -> str:
        """Returns the id of the model that a head retains."""
        model_id = self.tip(task).model
        assert model_id is not None, f"{task} has no model"
        return model_id

    def model(self, task: str) -> Model:
        """Returns the model that a head retains."""
        return self.objects.model(self.model_id(task))

    def first(self, task: str, definition: Task | None = None, **changed: object) -> Commit:
        """Returns the commit that adds a task, but for what is ``changed``; its task object is stored."""
        begins = Commit(
            task=task,
            task_id=self.put(definition or sample_task(task)),
            agent=EVIL,
            started_at=self.at,
            finished_at=self.at,
            message=f"add {task}",
            identity=SAMPLE_IDENTITY,
        )
        return replace(begins, **changed)  # type: ignore[arg-type]

    def next(self, task: str, **changed: object) -> Commit:
        """Returns a commit that could follow a head and says the same, but for what is ``changed``; not stored."""
        state = self.head(task)
        follows = replace(
            self.objects.commit(state.commit),
            parents=(state.commit,),
            snapshot=None,
            selections={},
            agent=EVIL,
            finished_at=self.at,
            message="evil",
            reset_to=None,
            run=None,
            improved=None,
            trials=None,
            identity=None,
            signature=None,
        )
        return replace(follows, **changed)  # type: ignore[arg-type]

    def move(self, task: str, commit: Commit | str) -> str:
        """Appends an entry to a head, or begins one; returns the commit's id."""
        oid = commit if isinstance(commit, str) else self.put(commit)
        self.refs.append(task, oid, after=self.refs.head(task))
        return oid

    def overwrite(self, task: str, commit_id: str) -> None:
        """Lets the newest entry of a head name another commit."""
        number = self.head(task).number
        entry = replace(self.refs.entry(task, number)[1], commit=commit_id)
        self.write(entry_key(task, number), encode(entry))

    def begin_epoch(self) -> None:
        """Lets everybody look at everything again."""
        new_epoch(self.store)
