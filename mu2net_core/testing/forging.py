"""What somebody writes by hand into a repository that he may write to, and what of a secret lies where it must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mu2net_core.codec.root import read_label
from mu2net_core.objects import PUBLIC, AccessRule, Commit, Model, Training, parse_object_key
from mu2net_core.repo import HeadState, Remote, Repository
from mu2net_core.repo.database import ObjectDatabase
from mu2net_core.repo.epoch import new_epoch
from mu2net_core.repo.purged import redacted_task
from mu2net_core.repo.refs import Refs
from mu2net_core.repo.remotes import connect
from mu2net_core.storage import Store
from mu2net_core.testing.samples import SAMPLE_IDENTITY, sample_task, sample_tombstone

__all__ = ["Forger", "leaks"]

_NOON = "2026-01-01T12:00:00.000000+00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forger:
    """Writes into a repository, here or elsewhere, what no command of ours would.

    Attributes:
        store: its bytes.
        objects: its objects.
        refs: its refs.
    """

    store: Store
    objects: ObjectDatabase
    refs: Refs

    @classmethod
    def into(cls, place: Repository | Remote) -> Forger:
        """Returns one who may write to ``place``."""
        there = connect(place) if isinstance(place, Remote) else place
        return cls(store=there.store, objects=there.objects, refs=Refs(there.store))

    def head(self, task: str) -> HeadState:
        """Returns where a head is."""
        state = self.refs.head(task)
        assert state is not None
        return state

    def model(self, task: str) -> tuple[str, Model]:
        """Returns id and manifest of the model of a head."""
        model_id = self.objects.commit(self.head(task).commit).model
        assert model_id is not None
        return model_id, self.objects.model(model_id)

    def next_commit(self, task: str, **changed: object) -> Commit:
        """Returns a commit that follows a head, but for what is ``changed``."""
        before = self.head(task)
        follows = replace(
            self.objects.commit(before.commit),
            parents=(before.commit,),
            snapshot=None,
            selections={},
            message="forged",
            reset_to=None,
            run=None,
            identity=None,
            signature=None,
        )
        return replace(follows, **{"finished_at": _NOON, **changed})  # type: ignore[arg-type]

    def move(self, task: str, commit: Commit) -> str:
        """Moves a head to a commit and returns its id."""
        return self.refs.append(task, self.objects.put(commit), after=self.head(task)).commit

    def widened(self, task: str) -> str:
        """Returns a task object of that name that everybody may read."""
        return self.objects.put(replace(sample_task(task), access=PUBLIC))

    def purge(self, task: str, access: AccessRule = PUBLIC) -> None:
        """Moves a head to a purge commit that says who may read what the task taught."""
        commit = Commit(
            task=task,
            task_id=self.objects.put(redacted_task(task, access)),
            started_at=_NOON,
            finished_at=_NOON,
            message="forged",
            removed=True,
            identity=SAMPLE_IDENTITY,
        )
        self.move(task, commit)

    def tell_of_purge(self, task: str, access: AccessRule = PUBLIC) -> None:
        """Writes the tombstone of a purge of all that there is of a task, and begins an epoch."""
        number = self.head(task).number
        roots = (self.refs.entry(task, 1)[0].commit,)
        self.refs.create_tombstone(sample_tombstone(task, number, roots=roots, access=access))
        new_epoch(self.store)

    def naming(self, model: Model, component_id: str, training: Mapping[str, Training], **changed: object) -> Model:
        """Returns a model whose embedding is said to be a component that it has not; ``changed`` are of the place."""
        forged = (
            replace(ref, id=component_id, training=training, **changed) if ref.name == "embedding" else ref  # type: ignore[arg-type]
            for ref in model.components
        )
        return replace(model, components=tuple(forged))


def leaks(place: Remote, task: str, *, names: bool = True) -> set[str]:
    """Returns what a place holds of what a task taught: components, models; with ``names`` all that names it."""
    store, found = connect(place).store, set[str]()
    for key in store.list("objects"):
        node = parse_object_key(key)
        data = store.read(key)
        if node is None or node[0] == "component":
            found |= {key} if node is not None and task in read_label(data).trained_by else set()
        elif f'"{task}"'.encode() in data and (names or node[0] == "model"):
            found.add(key)
    return found
