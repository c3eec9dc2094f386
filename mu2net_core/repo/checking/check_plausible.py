"""Names what is whole, and what nobody takes over all the same, since honest work does not make it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Commit, Kind, Label, Limits, Model, Snapshot, Task
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.checking.check_refs import RefScan
from mu2net_core.repo.checking.check_walk import Walk
from mu2net_core.repo.core import entry_key
from mu2net_core.repo.history import Arrivals, check

__all__ = ["check_plausible"]

_Value = TypeVar("_Value")


def check_plausible(walk: Walk, refs: RefScan, arrivals: Arrivals, limits: Limits) -> None:
    """Warns of commits, models, tasks and snapshots that the pulls of others refuse.

    Args:
        walk: what refs reach.
        refs: the refs: which of them names such an object is told.
        arrivals: what is judged by.
        limits: on what is read.
    """
    told = {problem.object for problem in walk.problems}
    keys = {oid: entry_key(task, number) for task, number, oid in sorted(refs.commits, reverse=True)}
    keys |= {oid: key for key, oid in (*refs.tags.items(), *refs.roots.items())}
    known = _Known(walk.scan, limits)
    for kind, oid in sorted(walk.reached):
        if kind == "component" or f"{kind}/{oid}" in told:
            continue
        try:
            with suppress(NotFoundError):  # told already, or purged
                check(known.manifest(kind, oid), known, arrivals)
        except CorruptObjectError as exc:
            where = f" This names it: {keys[oid]}." if oid in keys else ""
            walk.warn("implausible", f"{kind}/{oid}", f"{exc.message} No other copy takes it over.{where}")


class _Known:
    """Looks manifests up among those that were scanned."""

    def __init__(self, scan: Scan, limits: Limits) -> None:
        self._scan = scan
        self.limits = limits

    def manifest(self, kind: Kind, oid: str) -> Commit | Model | Task | Snapshot:
        """Returns any manifest."""
        values: Mapping[str, Commit | Model | Task | Snapshot] = getattr(self._scan, f"{kind}s")
        return _found(values, oid)

    def commit(self, oid: str) -> Commit:
        """Returns a commit by its id."""
        return _found(self._scan.commits, oid)

    def model(self, oid: str) -> Model:
        """Returns a model manifest by its id."""
        return _found(self._scan.models, oid)

    def task(self, oid: str) -> Task:
        """Returns a task object by its id."""
        return _found(self._scan.tasks, oid)

    def stored_snapshot(self, oid: str) -> Snapshot:
        """Returns a snapshot by its id, as it is stored."""
        return _found(self._scan.snapshots, oid)

    def label(self, oid: str) -> Label | None:
        """Returns what a component tells of itself, if that was read."""
        return self._scan.labels.get(oid)

    def has(self, kind: Kind, oid: str) -> bool:
        """Returns whether there is such an object."""
        return oid in getattr(self._scan, f"{kind}s")


def _found(values: Mapping[str, _Value], oid: str) -> _Value:
    if oid not in values:
        raise NotFoundError(f"{oid} is not there.")
    return values[oid]
