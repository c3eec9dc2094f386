"""Checks that the logs of heads only go forward."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Commit, Model, Task
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.checking.check_refs import RefScan
from mu2net_core.repo.checking.check_walk import Walk
from mu2net_core.repo.core import entry_key
from mu2net_core.repo.exchange import check_forward

__all__ = ["check_logs"]


def check_logs(walk: Walk, refs: RefScan) -> None:
    """Reports heads that were put back to an older state; entries whose commits are gone are passed over."""
    scanned = _Scanned(walk.scan)
    for task, entries in groupby(sorted(refs.commits), key=lambda entry: entry[0]):
        moves = [(number, oid) for _, number, oid in entries if oid in walk.scan.commits]
        try:
            reason = check_forward(scanned, task, [oid for _, oid in moves]) if moves else None
        except NotFoundError:  # its history is not whole, which is told
            continue
        if reason is not None:
            message = f"{reason[0].upper()}{reason[1:]}. `mu2net push` in a copy that has that work puts it right."
            walk.report("wrong-reference", entry_key(task, moves[-1][0]), message)


@dataclass(frozen=True, slots=True)
class _Scanned:
    """Looks manifests up among those that were scanned."""

    scan: Scan

    def commit(self, oid: str) -> Commit:
        """Returns a commit."""
        if oid not in self.scan.commits:
            raise NotFoundError(f"No commit {oid}.")
        return self.scan.commits[oid]

    def model(self, oid: str) -> Model:
        """Returns a model manifest."""
        return self.scan.models[oid]

    def task(self, oid: str) -> Task:
        """Returns a task object."""
        return self.scan.tasks[oid]
