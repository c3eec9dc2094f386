"""A source of repairs for a remote, from which nothing goes there that its readers may not see."""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import suppress

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, NotFoundError
from mu2net_core.objects import AccessRule, Kind, Model, component_rule
from mu2net_core.repo.audience import refusal
from mu2net_core.repo.closure import Closure, Node
from mu2net_core.repo.database import MANIFESTS, ObjectDatabase, decode_manifest
from mu2net_core.repo.findings import Objects, Source
from mu2net_core.repo.refs import Refs
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.system import load_system

__all__ = ["GuardedSource"]


class GuardedSource:
    """Objects of a source, as far as an audience may see them by the rules of a working copy.

    Attributes:
        objects: itself: what reads them.
        refs: the source's.
        refused: what it has and did not give.
    """

    def __init__(
        self, source: Source, rules_of: Repository, audience: AccessRule, *, there: ObjectDatabase | None = None
    ) -> None:
        """Takes from ``source``; the models ``there``, too, tell who trained what, if the working copy knows it not."""
        self.refs: Refs = source.refs
        self.refused: set[Node] = set()
        self.objects: Objects = self
        self._source, self._repo, self._audience = source.objects, rules_of, audience
        self._rules = load_system(rules_of).rules
        self._there = there
        self._given: dict[str, set[str]] = {}
        self._trained_by: Mapping[str, Set[str]] | None = None

    def read(self, kind: Kind, oid: str) -> bytes:
        """Returns an object's bytes.

        Raises:
            AccessDeniedError: the audience may not see it, or that cannot be told.
            NotFoundError: the source has none.
        """
        data = self._source.read(kind, oid)
        if not (self._may_see_component(oid) if kind == "component" else self._may_see(kind, oid, data)):
            self.refused.add((kind, oid))
            raise AccessDeniedError(f"The {kind} {oid} may not be seen there.")
        return data

    def _may_see(self, kind: Kind, oid: str, data: bytes) -> bool:
        value = decode_manifest(MANIFESTS[kind], data, what=f"{kind} {oid}")
        closure = Closure(manifests=(((kind, oid), value),), components=())
        if isinstance(value, Model):
            _note_training(self._given, value)
        return refusal(closure, self._rules, self._audience) is None

    def _may_see_component(self, oid: str) -> bool:
        known, given = self._trainers(), self._given
        trained_by = known.get(oid, set()) | given.get(oid, set())
        is_known = oid in known or oid in given
        return is_known and component_rule(trained_by, self._rules).allows_all(self._audience)

    def _trainers(self) -> Mapping[str, Set[str]]:
        """Returns the tasks that trained each component; several threads may ask at once."""
        if self._trained_by is None:
            found: dict[str, set[str]] = {}
            for model_id in self._repo.objects.ids("model"):
                _note_training(found, self._repo.objects.model(model_id))
            if self._there is not None:
                _note_those(found, self._there)
            self._trained_by = found
        return self._trained_by


def _note_training(found: dict[str, set[str]], model: Model) -> None:
    """Adds to ``found`` which tasks trained the components of a model."""
    for ref in model.components:
        found.setdefault(ref.id, set()).update(ref.training)


def _note_those(found: dict[str, set[str]], there: ObjectDatabase) -> None:
    """Does so for all models of a repository that may be damaged."""
    for model_id in there.ids("model"):
        with suppress(CorruptObjectError, NotFoundError):
            _note_training(found, there.model(model_id))
