"""A source of repairs for a remote, from which nothing goes there that its readers may not see."""

from __future__ import annotations

from mu2net_core.errors import AccessDeniedError, Mu2netError, NotFoundError
from mu2net_core.objects import PUBLIC, AccessRule, Kind, Task, decode, intersect
from mu2net_core.repo.core import (
    MANIFESTS,
    Objects,
    Refs,
    Repository,
    Source,
    Tombstone,
    decode_formatted,
    label_of,
    parse_entry_key,
    parse_tombstone_key,
)
from mu2net_core.repo.history import load_rules
from mu2net_core.repo.remotes import Closure, Node, refusal, refused_component, refused_task

__all__ = ["GuardedSource"]


class GuardedSource:
    """Objects of a source, as far as an audience may see them by the rules of a working copy.

    Each is judged alone, by its own bytes: a component by what it tells of itself, whatever manifests say.

    Attributes:
        objects: itself: what reads them.
        refs: the source's.
        refused: what it has and did not give.
    """

    def __init__(self, source: Source, rules_of: Repository, audience: AccessRule) -> None:
        self.refs: Refs = source.refs
        self.refused: set[Node] = set()
        self.objects: Objects = self
        self._source, self._repo, self._audience = source.objects, rules_of, audience
        self._rules = load_rules(rules_of)

    def read(self, kind: Kind, oid: str) -> bytes:
        """Returns an object's bytes.

        Raises:
            AccessDeniedError: the audience may not see it, or that cannot be told.
            NotFoundError: the source has none.
            CorruptObjectError: it is damaged.
        """
        data = self._source.read(kind, oid)
        reason = self._component(oid, data) if kind == "component" else self._manifest(kind, oid, data)
        if reason is not None:
            self.refused.add((kind, oid))
            raise AccessDeniedError(f"The {kind} {oid} may not be seen there: {reason}.")
        return data

    def may_tell(self, key: str, data: bytes) -> bool:
        """Returns whether the audience may see a ref: entries of heads and tombstones are of a task, others of none."""
        entry = parse_entry_key(key)
        if entry is not None:
            return refused_task(entry[0], self._rules, self._audience) is None
        if parse_tombstone_key(key) is None:
            return True
        try:
            return self.may_tell_of(decode(data, Tombstone, what=key))
        except Mu2netError:
            return False

    def may_tell_of(self, stone: Tombstone) -> bool:
        """Returns whether the audience may see a tombstone, by its own rule and what is known here of its task."""
        rule = intersect([stone.access, self._rules.get(stone.task, PUBLIC)])
        return refused_task(stone.task, {stone.task: rule}, self._audience) is None

    def _component(self, oid: str, data: bytes) -> str | None:
        return refused_component(oid[:10], (), label_of(data), self._rules, self._audience)

    def _manifest(self, kind: Kind, oid: str, data: bytes) -> str | None:
        value = decode_formatted(MANIFESTS[kind], data, what=f"{kind} {oid}", limits=self._repo.limits)
        closure = Closure(manifests=(((kind, oid), value),), components=())
        label = self._repo.objects.label
        return refusal(closure, self._rules, self._audience, task_of=self._task, label_of=label)

    def _task(self, oid: str) -> Task:
        """Returns a task object from here, or else from the source: the same id is the same task."""
        try:
            return self._repo.objects.task(oid)
        except NotFoundError:
            data = self._source.read("task", oid)
        return decode_formatted(Task, data, what=f"task {oid}", limits=self._repo.limits)
