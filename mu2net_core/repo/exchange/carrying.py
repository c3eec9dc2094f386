"""Reports travel with the commits that they lie beside: no object needs them, so they are sent and taken last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from contextlib import suppress

from mu2net_core.errors import CorruptObjectError, NewerError, NotFoundError
from mu2net_core.objects import StoredReport
from mu2net_core.repo.core import ObjectDatabase, Repository, read_report, reports_of
from mu2net_core.repo.history import load_rules
from mu2net_core.repo.remotes import RemoteRepository, refused_task
from mu2net_core.storage import Store

__all__ = ["bring_reports", "send_reports"]

_MOST = 100
"""Reports of a task, beside commits that both sides have, that are read at once."""


def send_reports(repo: Repository, there: RemoteRepository, tasks: Collection[str]) -> int:
    """Sends the reports of some tasks that lie beside commits that the remote has; returns how many.

    Those of tasks that its readers may not see stay here, and what is none of today's format.

    Args:
        repo: where from.
        there: where to.
        tasks: whose.

    Raises:
        AccessDeniedError: permissions forbid it.
    """
    rules = load_rules(repo)
    seen = [task for task in tasks if refused_task(task, rules, there.audience) is None]
    return _carry(repo.store, repo, there.store, there.objects, seen)


def bring_reports(repo: Repository, there: RemoteRepository, tasks: Collection[str]) -> int:
    """Takes the reports of some tasks over that lie beside commits that are here, too; returns how many.

    One that is damaged, of a future format, or not of what it lies beside, stays out.
    """
    return _carry(there.store, repo, repo.store, repo.objects, tasks)


def _carry(source: Store, repo: Repository, target: Store, objects: ObjectDatabase, tasks: Collection[str]) -> int:
    wanted, count, looked_at = set(tasks), 0, Counter[str]()
    found = reports_of(source, wanted)
    there = reports_of(target, wanted) if found else {}
    for key, (task, commit) in found.items():
        if key in there or looked_at[task] == _MOST or not objects.has("commit", commit):
            continue
        looked_at[task] += 1
        with suppress(CorruptObjectError, NewerError, NotFoundError):
            report, data = read_report(source, key, repo.limits)
            if _is_beside(report, repo):
                count += target.create(key, data)
    return count


def _is_beside(report: StoredReport, repo: Repository) -> bool:
    """Returns whether a report is of the model that the commit retains which it lies beside."""
    commit = repo.objects.commit(report.commit)
    return (commit.task, commit.model) == (report.task, report.model)
