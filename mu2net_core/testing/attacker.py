"""Somebody who may write any bytes into one remote, and knows every id: what he can do there.

He has no component of a private task, no key of anybody, and no access to a working copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mu2net_core.objects import (
    PUBLIC,
    AccessRule,
    Agent,
    Commit,
    ComponentRef,
    Costs,
    Kind,
    Model,
    Scorer,
    Snapshot,
    Training,
    encode,
    hash_bytes,
    object_key,
)
from mu2net_core.repo.config import Config
from mu2net_core.repo.database import MANIFESTS, Manifest, ObjectDatabase
from mu2net_core.repo.epoch import new_epoch
from mu2net_core.repo.purged import Tombstone, redacted_task
from mu2net_core.repo.ref_files import entry_key
from mu2net_core.repo.refs import HeadState, Refs
from mu2net_core.storage import Store
from mu2net_core.testing.samples import SAMPLE_IDENTITY, sample_task

__all__ = ["ELSEWHERE", "EVERYTHING", "Attacker", "Victim"]

ELSEWHERE = "0f" * 16
"""The identity of a repository that has nothing to do with ours."""

EVERYTHING = frozenset({"*"})
"""What was attacked, if it was the repository and no name in it."""

_Change: TypeAlias = Callable[[ComponentRef], ComponentRef]
_KINDS: dict[type[Manifest], Kind] = {value: kind for kind, value in MANIFESTS.items()}
_NOW = "2026-06-01T00:00:00.000000+00:00"  # later than all honest work, as attackers have it
_SCORE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A component that is none of his business, and what a manifest tells of it, which leaks more easily than bytes."""

    ref: ComponentRef
    task: str
    model: str


@dataclass(slots=True)
class Attacker:
    """Writes into one remote. Every method returns the names it attacked there: of tasks, tags, roots.

    Attributes:
        store: of the remote.
        identity: that he writes into what needs one.
        count: of the names he made up.
        made: ids of the manifests that he wrote and nobody had written before.
    """

    store: Store
    identity: str = SAMPLE_IDENTITY
    count: int = 0
    made: set[str] = field(default_factory=set)

    @property
    def objects(self) -> ObjectDatabase:
        """What lies there, read anew."""
        return ObjectDatabase(self.store)

    @property
    def refs(self) -> Refs:
        """The refs there, read anew."""
        return Refs(self.store)

    def put(self, value: Manifest) -> str:
        """Writes a manifest, whatever it says, and returns its id."""
        data = encode(value)
        oid = hash_bytes(data)
        if self.store.create(object_key(_KINDS[type(value)], oid), data):
            self.made.add(oid)
        return oid

    def overwrite(self, key: str, data: bytes) -> None:
        """Puts other bytes at a key."""
        self.store.delete(key)
        self.store.create(key, data)

    # Whose data it was, and who may have it.

    def forged_training(
        self, task: str, victim: Victim, training: Mapping[str, Training] | None = None
    ) -> frozenset[str]:
        """Lets a head list a component as one that no data, or other data, trained."""
        return self._move_model(task, lambda ref: self._hidden(ref, victim, training or {}))

    def forged_ancestor(self, task: str, victim: Victim) -> frozenset[str]:
        """Lets a head's model descend from one that lists a component as untrained."""
        before = self._before(task)
        parent = self._forged(before, self._some_model(before), lambda ref: self._hidden(ref, victim, {}))
        child = self._forged(before, self.put(parent), lambda ref: ref)
        return self._append(task, before, model=self.put(child))

    def descends_from(self, task: str, model_id: str) -> frozenset[str]:
        """Lets a head's model, in which is nobody's work, descend from a model of another task."""
        before = self._before(task)
        child = self._forged(before, model_id, lambda ref: ref)
        return self._append(task, before, model=self.put(replace(child, components=self._root().components)))

    def forged_root(self, victim: Victim) -> frozenset[str]:
        """Adds a root that lists a component as one of a checkpoint."""
        root = self._root()
        components = tuple(self._hidden(ref, victim, {}, operation="root") for ref in root.components)
        return self.root_of(self.put(replace(root, components=components, seed=self._next())))

    def root_of(self, model_id: str) -> frozenset[str]:
        """Adds a root that names a model of somebody's."""
        name = f"evil-{self._next()}"
        self.refs.create_root(name, model_id)
        return frozenset({name})

    def tag_of(self, heads: Mapping[str, str], *, claims_name: bool = True) -> frozenset[str]:
        """Adds a tag that names commits of somebody's."""
        name = f"evil-{self._next()}"
        snapshot = Snapshot(heads=dict(heads), roots={}, tag=name if claims_name else None)
        snapshot = replace(snapshot, identity=self.identity if claims_name else None)
        self.refs.create_tag(name, self.put(snapshot))
        return frozenset({name})

    def snapshot_naming(self, task: str, heads: Mapping[str, str]) -> frozenset[str]:
        """Lets a head's snapshot name commits of tasks that its readers may not know."""
        before = self._before(task)
        return self._append(task, before, snapshot=self.put(Snapshot(heads=dict(heads), roots={})))

    def wider_task_object(self, task: str, access: AccessRule = PUBLIC) -> frozenset[str]:
        """Moves a head to a commit whose task object lets everybody read."""
        before = self._before(task)
        return self._append(task, before, task_id=self.put(sample_task(task, access)))

    def rewritten(self, task: str, access: AccessRule = PUBLIC, *, keeps_model: bool = True) -> frozenset[str]:
        """Replaces a head's whole log by one move that everybody may read; its model may be the true one."""
        before = self._before(task)
        for key in list(self.store.list(f"refs/heads/{task}")):
            self.store.delete(key)
        task_id = self.put(sample_task(task, access))
        commit = replace(
            before, task_id=task_id, parents=(), snapshot=None, selections={}, identity=self.identity, signature=None
        )
        model = before.model if keeps_model else None
        commit = replace(commit, model=model, iteration=int(model is not None), reset_to=None, run=None)
        self.refs.append(task, self.put(commit), after=None)
        return frozenset({task})

    def forged_purge(
        self, task: str, access: AccessRule = PUBLIC, objects: Iterable[str] = (), *, stone: bool = True
    ) -> frozenset[str]:
        """Moves a head to a purge commit whose task object lets everybody read, with a tombstone or without one."""
        head = self.refs.head(task)
        commit = self._commit(task, task_id=self.put(redacted_task(task, access)), removed=True, message="purged")
        if stone:
            number = 0 if head is None else head.number
            self.stone(task, objects, through=number, roots=self._begins(head), access=access)
        self.refs.append(task, self.put(commit), after=head)
        return frozenset({task})

    def stone(
        self,
        task: str,
        objects: Iterable[str] = (),
        *,
        through: int = 1,
        roots: Iterable[str] = (),
        access: AccessRule = PUBLIC,
        identity: str | None = None,
    ) -> frozenset[str]:
        """Adds a tombstone of one task, which may list anybody's objects."""
        stone = Tombstone(
            task=task,
            through=through,
            roots=tuple(sorted(set(roots))),
            objects=tuple(sorted(set(objects))),
            purged_at=_NOW,
            identity=identity or self.identity,
            access=access,
        )
        self.refs.create_tombstone(stone)
        self.new_epoch()
        return frozenset({task})

    def group_name(self, name: str) -> frozenset[str]:
        """Adds a private task that is called as a group is, or as somebody's tag, root or id."""
        head = self.refs.head(name)
        task_id = self.put(sample_task(name, AccessRule.only([name])))
        self.refs.append(name, self.put(self._commit(name, task_id=task_id, message=f"add {name}")), after=head)
        return frozenset({name})

    # Heads that lead elsewhere.

    def head_of(self, task: str, commit_id: str) -> frozenset[str]:
        """Moves a head to any commit: of another task, of another repository, one that nobody ever sent."""
        self.refs.append(task, commit_id, after=self.refs.head(task))
        return frozenset({task})

    def foreign_history(self, task: str) -> frozenset[str]:
        """Moves a head to the first commit of a history of another repository."""
        task_id = self.put(sample_task(task))
        commit = self._commit(task, task_id=task_id, identity=ELSEWHERE, message=f"add {task}")
        return self.head_of(task, self.put(commit))

    def merge_across(self, task: str, other: str) -> frozenset[str]:
        """Moves a head to a merge with the head of another task."""
        parents = [head.commit for name in (task, other) if (head := self.refs.head(name)) is not None]
        before = self._before(task)
        merge = replace(before, parents=tuple(parents), agent=None, message="merge", identity=None, signature=None)
        return self.head_of(task, self.put(replace(merge, snapshot=None, run=None, reset_to=None)))

    def other_model(self, task: str, model_id: str) -> frozenset[str]:
        """Moves a head to a commit that retains a model of another task."""
        return self._append(task, self._before(task), model=model_id)

    def poison_counters(self, task: str) -> frozenset[str]:
        """Moves a head to a commit after more iterations than a number has room for."""
        return self._append(task, self._before(task), iteration=2**53 - 1)

    def skip_iterations(self, task: str) -> frozenset[str]:
        """Moves a head to a commit that is many iterations on."""
        return self._append(task, self._before(task), iteration=1000)

    def absurd_time(self, task: str) -> frozenset[str]:
        """Moves a head to a commit of the year 9999, which is newer than any other."""
        return self._append(task, self._before(task), finished_at="9999-12-31T00:00:00.000000+00:00")

    def absurd_score(self, task: str) -> frozenset[str]:
        """Moves a head to a model whose score no other can beat."""
        before = self._before(task)
        model = self._forged(before, self._some_model(before), lambda ref: ref)
        return self._append(task, before, model=self.put(replace(model, score=1e308)))

    def ordinary(self, task: str, score: float = 0.6) -> frozenset[str]:
        """Moves a head as anybody might who works on it: a claim, and nothing wrong with it."""
        before = self._before(task)
        model = self._forged(before, self._some_model(before), lambda ref: ref)
        return self._append(task, before, model=self.put(replace(model, quality=score, score=score)))

    # Logs that go back, and what is gone.

    def older_state(self, task: str, number: int) -> frozenset[str]:
        """Moves a head to what it was at an earlier entry."""
        return self.head_of(task, self.refs.entry(task, number)[0].commit)

    def rollback(self, task: str, number: int, *, forget: bool = False) -> frozenset[str]:
        """Deletes the entries of a head after ``number``; with ``forget``, the epoch as well."""
        for key in list(self.store.list(f"refs/heads/{task}")):
            if int(key.rpartition("/")[2]) > number:
                self.store.delete(key)
        if not forget:
            return frozenset({task})
        for key in list(self.store.list("refs/epoch")):
            self.store.delete(key)
        return frozenset({task})

    def replace_entry(self, task: str) -> frozenset[str]:
        """Lets the newest entry of a head name the commit of the first one."""
        head = self._head(task)
        first = self.refs.entry(task, 1)[0].commit
        entry = replace(self.refs.entry(task, head.number)[1], commit=first)
        self.overwrite(entry_key(task, head.number), encode(entry))
        return frozenset({task})

    def gap(self, task: str) -> frozenset[str]:
        """Writes an entry of a head far beyond its newest."""
        entry = self.refs.entry(task, self._head(task).number)[1]
        self.store.create(entry_key(task, 99_999_999), encode(entry))
        return frozenset({task})

    def delete(self, prefix: str) -> frozenset[str]:
        """Deletes all keys that begin with ``prefix``."""
        for key in list(self.store.list(prefix)):
            self.store.delete(key)
        return EVERYTHING

    def new_epoch(self) -> frozenset[str]:
        """Lets everybody look again at what was purged."""
        new_epoch(self.store)
        return frozenset()

    def replace_repository(self, identity: str = ELSEWHERE) -> frozenset[str]:
        """Puts an empty repository in the place of this one."""
        like = Config.parse(self.store.read("config.toml"), what="config.toml", foreign=True)
        self.delete("refs")
        self.delete("objects")
        self.overwrite("config.toml", replace(like, identity=identity).dump())
        self.new_epoch()
        return EVERYTHING

    def config_of_a_partial_clone(self) -> frozenset[str]:
        """Writes into the settings that this is a clone that lacks components."""
        data = self.store.read("config.toml")
        self.overwrite("config.toml", data + b'\n[remotes.evil]\nurl = "/nowhere"\npartial = true\n')
        return EVERYTHING

    def bad_bytes(self, key: str, data: bytes, name: str) -> frozenset[str]:
        """Damages what lies at a key, or puts something there, which is of ``name``."""
        self.overwrite(key, data)
        return frozenset({name})

    def bad_head(self, task: str, data: bytes = b"\x00") -> frozenset[str]:
        """Damages the newest entry of a head."""
        return self.bad_bytes(entry_key(task, self._head(task).number), data, task)

    def bad_ref(self, folder: str, name: str, data: bytes = b"\x00") -> frozenset[str]:
        """Adds a tag, root or tombstone whose file is damaged, or names nothing."""
        return self.bad_bytes(f"refs/{folder}/{name}", data, name.rpartition("/")[0] or name)

    # How he does it.

    def _next(self) -> int:
        self.count += 1
        return self.count

    def _head(self, task: str) -> HeadState:
        head = self.refs.head(task)
        assert head is not None, f"{task} has no head to attack"
        return head

    def _begins(self, head: HeadState | None) -> list[str]:
        """Returns the parentless commits that a head goes back to, as a true tombstone has them."""
        pending = [] if head is None else [head.commit]
        found: dict[str, bool] = {}
        while pending:
            oid = pending.pop()
            parents = self.objects.commit(oid).parents
            found[oid] = not parents
            pending += [parent for parent in parents if parent not in found]
        return [oid for oid, begins in found.items() if begins]

    def _before(self, task: str) -> Commit:
        return self.objects.commit(self._head(task).commit)

    def _append(self, task: str, before: Commit, **changes: object) -> frozenset[str]:
        """Moves a head on to a commit like the one before it, but for ``changes``."""
        head = self._head(task)
        told: dict[str, object] = {
            "parents": (head.commit,),
            "snapshot": None,
            "selections": {},
            "identity": None,
            "signature": None,
        }
        told |= {"reset_to": None, "run": None, "finished_at": _NOW, "message": f"evil {self._next()}"}
        return self.head_of(task, self.put(replace(before, **{**told, **changes})))  # type: ignore[arg-type]

    def _commit(self, task: str, *, task_id: str, identity: str | None = None, **changes: object) -> Commit:
        agent = Agent(id="0" * 32, host="evil", device="none")
        commit = Commit(task=task, task_id=task_id, agent=agent, started_at=_NOW, finished_at=_NOW)
        return replace(commit, identity=identity or self.identity, **changes)  # type: ignore[arg-type]

    def _root(self) -> Model:
        return self.objects.model(min(self.refs.roots().values()))

    def _some_model(self, before: Commit) -> str:
        return before.model or min(self.refs.roots().values())

    def _move_model(self, task: str, change: _Change) -> frozenset[str]:
        before = self._before(task)
        return self._append(task, before, model=self.put(self._forged(before, self._some_model(before), change)))

    def _forged(self, before: Commit, parent_id: str, change: _Change) -> Model:
        """Returns a model that claims to be a child of ``parent_id``, with what ``change`` makes of its components."""
        parent = self.objects.model(parent_id)
        return replace(
            parent,
            task=before.task,
            task_id=before.task_id,
            root=parent.root or parent_id,
            parent=parent_id,
            components=tuple(change(ref) for ref in parent.components),
            validation_curve=(_SCORE,),
            quality=_SCORE,
            score=_SCORE,
            scorer=Scorer(),
            costs=Costs(params=45, accounted_params=45.0, flops=100),
            test_quality=_SCORE,
            seed=self._next(),
            device_kind="cpu",
        )

    @staticmethod
    def _hidden(
        ref: ComponentRef, victim: Victim, training: Mapping[str, Training], operation: str = "clone"
    ) -> ComponentRef:
        if ref.name != victim.ref.name:
            return ref
        told = replace(victim.ref, training=dict(training), trainable=False, parent=None)
        return replace(told, operation=operation)  # type: ignore[arg-type]
