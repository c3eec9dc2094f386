"""Who may hold what, by what honest people did and not by what any repository says of it.

The oracle is told of honest work at the moment it is done. From then on it judges every key and every byte that an
honest working copy sends to a remote, at the moment of sending, and every question that tells of what it has.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

from mu2net_core.objects import KINDS, Kind, parse_object_key
from mu2net_core.storage import LocalStore
from mu2net_core.testing.worlds.invariants import Node, object_file

__all__ = ["Audience", "Fact", "Oracle", "Sentinel", "files_of"]

Audience: TypeAlias = frozenset[str] | None
"""Who reads: names of groups and tasks; None for everybody."""

_ID = re.compile(r'"([0-9a-f]{64})"')
_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is true of an object that an honest person made.

    Attributes:
        names: tasks whose data trained it, or that it tells of.
        readers: who was allowed to have it, when it was made, by all that its maker knew.
    """

    names: frozenset[str]
    readers: Audience

    def __and__(self, other: Fact) -> Fact:
        """Returns what is true of something that came from both."""
        return Fact(names=self.names | other.names, readers=narrower(self.readers, other.readers))


NOBODYS = Fact(names=frozenset(), readers=None)


def narrower(one: Audience, other: Audience) -> Audience:
    """Returns who is in both."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def allows(readers: Audience, audience: Audience) -> bool:
    """Returns whether all of ``audience`` may read."""
    return readers is None or (audience is not None and audience <= readers)


@dataclass(slots=True)
class Oracle:
    """The truth about every object honest people made, and about what each working copy can know of rules.

    Attributes:
        facts: of objects, by kind and id.
        rules: by working copy and task: the narrowest rule that an honest person gave it as far as that copy can know:
            it was given there, or a head there goes back to it.
        leaks: what should not have happened, in words.
    """

    facts: dict[Node, Fact] = field(default_factory=dict)
    rules: dict[int, dict[str, Audience]] = field(default_factory=lambda: defaultdict(dict))
    leaks: list[str] = field(default_factory=list)
    _grants: dict[str, tuple[str, Audience]] = field(default_factory=dict)
    _walked: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def granted(self, copy: int, task: str, task_id: str, readers: Audience) -> None:
        """Learns that whoever works in ``copy`` gave a task a rule, in the task object ``task_id``."""
        self._grants[task_id] = (task, readers)
        self._narrow(copy, task, readers)

    def made(self, repo: Path, before: set[Node]) -> None:
        """Learns of the objects that honest work just made in a working copy: all that are not in ``before``."""
        fresh = sorted(files_of(repo) - before, key=lambda node: KINDS.index(_kind(node)))
        for kind, oid in fresh:
            if kind not in {"component", "snapshot"}:
                self._note(kind, oid, json.loads(object_file(repo, kind, oid).read_bytes()))

    def trained(self, copy: int, task: str, component: str, parent: str | None) -> None:
        """Learns that the data of ``task`` trained a component that was ``parent`` before."""
        before = self.facts.get(("component", parent or ""), NOBODYS)
        own = Fact(names=frozenset({task}), readers=self.rules[copy].get(task))
        self.facts["component", component] = before & own

    def look(self, copy: int, repo: Path) -> None:
        """Learns which rules ``copy`` can know by now: those its heads go back to."""
        pending = [json.loads(file.read_bytes())["commit"] for file in (repo / "refs" / "heads").rglob("*[0-9]")]
        while pending:
            oid = pending.pop()
            file = object_file(repo, "commit", oid)
            if oid in self._walked[copy] or not file.is_file():
                continue
            self._walked[copy].add(oid)
            commit = json.loads(file.read_bytes())
            if (grant := self._grants.get(commit["task_id"])) is not None:
                self._narrow(copy, *grant)
            pending += commit.get("parents", ())

    def forget(self, copy: int) -> None:
        """Forgets what a working copy knew, which is no more."""
        self.rules.pop(copy, None)
        self._walked.pop(copy, None)

    def may_hold(self, copy: int, node: Node, names: Iterable[str], audience: Audience) -> str | None:
        """Returns why ``copy`` may not give an object that tells of ``names`` to an audience; None if it may."""
        fact = self.facts.get(node, NOBODYS)
        if not allows(fact.readers, audience):
            return f"only {_shown(fact.readers)} may have it"
        for name in sorted({*names, *fact.names}):
            known = self.rules[copy].get(name)
            if not allows(known, audience):
                return f"it is of {name}, which only {_shown(known)} may know of"
        return None

    def may_know_of(self, copy: int, task: str, audience: Audience) -> bool:
        """Returns whether ``copy`` may speak of a task to an audience, by the rules that it can know."""
        return task in self.rules[copy] and allows(self.rules[copy][task], audience)

    def private(self, audience: Audience, kind: Kind) -> list[str]:
        """Returns the ids of the objects of a kind that an audience may not have, as they were made."""
        found = (oid for (of, oid), fact in self.facts.items() if of == kind and not allows(fact.readers, audience))
        return sorted(found)

    def _narrow(self, copy: int, task: str, readers: Audience) -> None:
        self.rules[copy][task] = narrower(self.rules[copy].get(task), readers)

    def _note(self, kind: str, oid: str, value: dict[str, Any]) -> None:
        """Notes what is true of a manifest: its readers are those of the very task object that it names."""
        task = value["name"] if kind == "task" else value["task"]
        _, readers = self._grants.get(oid if kind == "task" else value["task_id"], ("", None))
        self.facts[kind, oid] = Fact(names=frozenset({task}), readers=readers)


@dataclass(slots=True)
class Sentinel:
    """Stands between honest working copies and remotes, and sees all that goes there.

    Attributes:
        oracle: who judges it.
        remotes: who reads each remote, by folder.
        copies: folder of each working copy.
        actor: the working copy at work; None for others, who are not judged.
        may_write: whether its command may write into remotes at all.
        may_ask: whether its user named a remote to be asked for whatever is missing.
    """

    oracle: Oracle
    remotes: dict[Path, Audience]
    copies: dict[int, Path]
    actor: int | None = None
    may_write: bool = True
    may_ask: bool = False
    told: dict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))

    @contextmanager
    def watching(self, copy: int, *, may_write: bool = True, may_ask: bool = False) -> Iterator[None]:
        """Judges what the working copy ``copy`` does inside the block.

        Raises:
            AssertionError: afterwards, if anything went to somebody who may not have it.
        """
        self.oracle.look(copy, self.copies[copy])
        for remote in self.remotes:
            self.mentioned(remote)
        self.actor, self.may_write, self.may_ask = copy, may_write, may_ask
        try:
            with ExitStack() as stack:
                for name in (*_WRITING, *_ASKING):
                    stack.enter_context(mock.patch.object(LocalStore, name, self._wrapped(name)))
                yield
        finally:
            self.actor = None
        self.oracle.look(copy, self.copies[copy])
        assert not self.oracle.leaks, "; ".join(self.oracle.leaks)

    def _wrapped(self, name: str) -> Callable[..., Any]:
        original = getattr(LocalStore, name)

        @wraps(original)
        def method(store: LocalStore, key: str, *args: Any, **kwargs: Any) -> Any:
            if store.root in self.remotes:
                self._judge(name, store.root, key, args[0] if args else kwargs.get("data", b""))
            return original(store, key, *args, **kwargs)

        return method

    def _judge(self, method: str, remote: Path, key: str, data: bytes) -> None:
        copy, node = self.actor, parse_object_key(key)
        assert copy is not None
        if method in _WRITING:
            reason = self._sent(copy, remote, key, node, data)
        elif node is not None and node[0] == "component" and not self.may_ask:
            reason = self._asked(copy, remote, node)
        else:
            return
        if reason is not None:
            self.oracle.leaks.append(f"copy {copy} did {method} {key} at {remote.name}: {reason}")

    def _sent(self, copy: int, remote: Path, key: str, node: Node | None, data: bytes) -> str | None:
        if not self.may_write:
            return "this command must not write there"
        audience = self.remotes[remote]
        if node is None:
            was_there = key in self.mentioned(remote)
            return None if was_there else self.oracle.may_hold(copy, ("ref", key), _names_in_key(key), audience)
        told = {} if node[0] == "component" else json.loads(data)
        reason = self.oracle.may_hold(copy, node, _names_in(told), audience)
        if reason is not None or node not in self.oracle.facts:
            return reason
        for oid in sorted(set(_ID.findall(data.decode())) if told else ()):
            for kind in ("component", "model"):
                reason = self.oracle.may_hold(copy, (kind, oid), (), audience)
                if reason is not None:
                    return f"it names the {kind} {oid}: {reason}"
        return None

    def _asked(self, copy: int, remote: Path, node: Node) -> str | None:
        """Returns why nobody may be asked for a component; whoever runs the remote reads the question."""
        reason = self.oracle.may_hold(copy, node, (), self.remotes[remote])
        return None if reason is None or node[1] in self.mentioned(remote) else reason

    def mentioned(self, remote: Path) -> set[str]:
        """Returns the refs and ids that are in a remote or that anything there names, or did when last asked."""
        told = self.told[remote]
        for folder in ("heads", "purged"):
            told.update(f.relative_to(remote).as_posix() for f in (remote / "refs" / folder).rglob("*[0-9]"))
        for kind, oid in files_of(remote):
            if f"{kind}/{oid}" not in told:
                told.update((oid, f"{kind}/{oid}"))
                told.update(_ID.findall(object_file(remote, kind, oid).read_text()) if kind != "component" else ())
        return told


_WRITING = ("create", "refresh")
_ASKING = ("read", "exists", "size", "modified", "holds")


def files_of(repo: Path) -> set[Node]:
    """Returns kind and id of every object in a repository."""
    found: set[Node] = set()
    for kind in KINDS:
        folder = f"{repo}/objects/{kind}"
        for part in os.listdir(folder) if os.path.isdir(folder) else ():  # noqa: PTH112, PTH208  thousands of times
            found |= {(kind, part + name.partition(".")[0]) for name in os.listdir(f"{folder}/{part}")}  # noqa: PTH208
    return {node for node in found if len(node[1]) == _DIGITS}


def _names_in(value: dict[str, Any]) -> set[str]:
    """Returns the tasks a manifest tells of."""
    names = {value.get("task"), value.get("name") if value.get("kind") == "task" else None}
    names.update(*(ref.get("training", ()) for ref in value.get("components", ())))
    return {name for name in {*names, *(value.get("heads") or ())} if isinstance(name, str)}


def _names_in_key(key: str) -> set[str]:
    """Returns the tasks that the key of a ref tells of."""
    folder = next((f for f in ("refs/heads/", "refs/purged/") if key.startswith(f)), None)
    return {key.removeprefix(folder).rpartition("/")[0]} if folder else set()


def _kind(node: Node) -> Kind:
    return next(kind for kind in KINDS if kind == node[0])


def _shown(readers: Audience) -> str:
    return "everybody" if readers is None else ", ".join(sorted(readers)) or "nobody"
