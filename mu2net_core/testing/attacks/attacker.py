"""Somebody who may write any bytes into one remote, and knows every id: what he can do to its heads, logs and files.

He has no component of a private task, no key of anybody, and no access to a working copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final, TypeAlias

from mu2net_core.objects import PUBLIC, AccessRule, ComponentRef, Costs, Model, Scorer, Snapshot, encode
from mu2net_core.repo import HeadState
from mu2net_core.repo.core import Manifest, entry_key
from mu2net_core.repo.remotes import Node
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, sample_task

__all__ = ["ELSEWHERE", "EVERYTHING", "Attacker"]

ELSEWHERE: Final = "0f" * 16
"""The identity of a repository that has nothing to do with ours."""

EVERYTHING: Final = frozenset({"*"})
"""What was attacked, if it was the repository and no name in it."""

_SCORE: Final = 0.99
_NOW: Final = "2026-06-01T00:00:00.000000+00:00"  # later than all honest work, as attackers have it
_Change: TypeAlias = Callable[[ComponentRef], ComponentRef]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacker(Forger):
    """Writes into one remote. Every attack returns the names that it hit there: of tasks, tags, roots.

    Attributes:
        numbers: of the names he makes up.
        made: ids of the manifests that he wrote and nobody had written before.
    """

    at: str = _NOW
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    made: set[str] = field(default_factory=set)

    def put(self, value: Manifest) -> str:
        """Stores a manifest, whatever it says; returns its id."""
        oid, is_new = self.created(value)
        self.made.update({oid} if is_new else ())
        return oid

    # Names that he makes up, and rules.

    def root_of(self, model_id: str) -> frozenset[str]:
        """Adds a root that names a model of somebody's."""
        name = f"evil-{next(self.numbers)}"
        self.refs.create_root(name, model_id)
        return frozenset({name})

    def tag_of(self, heads: Mapping[str, str], *, claims_name: bool = True) -> frozenset[str]:
        """Adds a tag that names commits of somebody's."""
        name = f"evil-{next(self.numbers)}"
        snapshot = Snapshot(heads=dict(heads), roots={})
        claimed = replace(snapshot, tag=name, identity=SAMPLE_IDENTITY) if claims_name else snapshot
        self.refs.create_tag(name, self.put(claimed))
        return frozenset({name})

    def group_name(self, name: str) -> frozenset[str]:
        """Adds a private task that is called as a group is, or as somebody's tag, root or id."""
        return self.head_of(name, self.put(self.first(name, sample_task(name, AccessRule.only([name])))))

    def wider_task_object(self, task: str, access: AccessRule = PUBLIC) -> frozenset[str]:
        """Moves a head to a commit whose task object lets everybody read."""
        return self.append(task, task_id=self.put(sample_task(task, access)))

    def rewritten(self, task: str, access: AccessRule = PUBLIC, *, keeps_model: bool = True) -> frozenset[str]:
        """Replaces a head's whole log by one move that everybody may read; its model may be the true one."""
        before = self.tip(task)
        self.delete(f"refs/heads/{task}")
        model = before.model if keeps_model else None
        commit = replace(
            before,
            task_id=self.put(sample_task(task, access)),
            parents=(),
            snapshot=None,
            selections={},
            identity=SAMPLE_IDENTITY,
            signature=None,
            model=model,
            iteration=int(model is not None),
            reset_to=None,
            run=None,
            improved=None,
            trials=None,
        )
        return self.head_of(task, self.put(commit))

    def forged_purge(
        self, task: str, access: AccessRule = PUBLIC, listed: Iterable[Node] = (), *, stone: bool = True
    ) -> frozenset[str]:
        """Moves a head to a purge commit whose task object lets everybody read, with a tombstone or without one."""
        if stone:
            head = self.refs.head(task)
            self.stone(task, listed, through=head.number if head else 0, roots=self._begins(head), access=access)
        self.purge(task, access)
        return frozenset({task})

    def forged_stone(self, task: str, listed: Iterable[Node] = (), identity: str = SAMPLE_IDENTITY) -> frozenset[str]:
        """Adds a tombstone of one task, which may list anybody's objects."""
        self.stone(task, listed, through=1, identity=identity)
        return frozenset({task})

    # Heads that lead elsewhere.

    def head_of(self, task: str, commit_id: str) -> frozenset[str]:
        """Moves a head to any commit: of another task, of another repository, one that nobody ever sent."""
        self.move(task, commit_id)
        return frozenset({task})

    def foreign_history(self, task: str) -> frozenset[str]:
        """Moves a head to the first commit of a history of another repository."""
        return self.head_of(task, self.put(self.first(task, identity=ELSEWHERE)))

    def merge_across(self, task: str, other: str) -> frozenset[str]:
        """Moves a head to a merge with the head of another task."""
        parents = tuple(head.commit for name in (task, other) if (head := self.refs.head(name)) is not None)
        before = self.tip(task)
        return self.append(
            task,
            parents=parents,
            agent=None,
            selections=before.selections,
            finished_at=before.finished_at,
            message="merge",
        )

    def other_model(self, task: str, model_id: str) -> frozenset[str]:
        """Moves a head to a commit that retains a model of another task."""
        return self.append(task, model=model_id)

    def poison_counters(self, task: str) -> frozenset[str]:
        """Moves a head to a commit after more iterations than a number has room for."""
        return self.append(task, iteration=2**53 - 1)

    def skip_iterations(self, task: str) -> frozenset[str]:
        """Moves a head to a commit that is many iterations on."""
        return self.append(task, iteration=1000)

    def absurd_time(self, task: str) -> frozenset[str]:
        """Moves a head to a commit of the year 9999, which is newer than any other."""
        return self.append(task, finished_at="9999-12-31T00:00:00.000000+00:00")

    def absurd_score(self, task: str) -> frozenset[str]:
        """Moves a head to a model whose score no other can beat."""
        return self.append(task, model=self.put(replace(self.child(task), score=1e308)))

    def ordinary(self, task: str, score: float = 0.6) -> frozenset[str]:
        """Moves a head as anybody might who works on it: a claim, and nothing wrong with it."""
        return self.append(task, model=self.put(replace(self.child(task), quality=score, score=score)))

    # Logs that go back, and what is gone.

    def older_state(self, task: str, number: int) -> frozenset[str]:
        """Moves a head to what it was at an earlier entry."""
        return self.head_of(task, self.refs.entry(task, number)[0].commit)

    def rollback(self, task: str, number: int, *, forget: bool = False) -> frozenset[str]:
        """Deletes the entries of a head after ``number``; with ``forget``, the epoch as well."""
        for key in list(self.store.list(f"refs/heads/{task}")):
            if int(key.rpartition("/")[2]) > number:
                self.store.delete(key)
        if forget:
            self.delete("refs/epoch")
        return frozenset({task})

    def replace_entry(self, task: str) -> frozenset[str]:
        """Lets the newest entry of a head name the commit of the first one."""
        self.overwrite(task, self.refs.entry(task, 1)[0].commit)
        return frozenset({task})

    def gap(self, task: str) -> frozenset[str]:
        """Writes an entry of a head far beyond its newest."""
        entry = self.refs.entry(task, self.head(task).number)[1]
        self.store.create(entry_key(task, 99_999_999), encode(entry))
        return frozenset({task})

    def delete(self, prefix: str) -> frozenset[str]:
        """Deletes all keys that begin with ``prefix``."""
        for key in list(self.store.list(prefix)):
            self.store.delete(key)
        return EVERYTHING

    def config_of_a_partial_clone(self) -> frozenset[str]:
        """Writes into the settings that this is a clone that lacks components."""
        data = self.store.read("config.toml")
        self.write("config.toml", data + b'\n[remotes.evil]\nurl = "/nowhere"\npartial = true\n')
        return EVERYTHING

    def bad_head(self, task: str, data: bytes = b"\x00") -> frozenset[str]:
        """Damages the newest entry of a head."""
        self.write(entry_key(task, self.head(task).number), data)
        return frozenset({task})

    def bad_ref(self, folder: str, name: str, data: bytes = b"\x00") -> frozenset[str]:
        """Adds a tag, root or tombstone whose file is damaged, or names nothing."""
        self.write(f"refs/{folder}/{name}", data)
        return frozenset({name.rpartition("/")[0] or name})

    # How he does it.

    def append(self, task: str, **changed: object) -> frozenset[str]:
        """Moves a head on to a commit like the one before it, but for what is ``changed``."""
        told = {"agent": self.tip(task).agent, "message": f"evil {next(self.numbers)}"}
        return self.head_of(task, self.put(self.next(task, **{**told, **changed})))

    def child(self, task: str, change: _Change = lambda ref: ref, parent_id: str | None = None) -> Model:
        """Returns a model that claims to be a child of a task's own, with what ``change`` makes of its components."""
        before = self.tip(task)
        parent_id = parent_id or before.model or min(self.refs.roots().values())
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
            seed=next(self.numbers),
            device_kind="cpu",
        )

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
