"""Reports travel with the commits that they lie beside: no object needs them, so they are sent and taken last."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import StoredReport
from mu2net_core.repo.core import REPORTS, ObjectDatabase, Repository, parse_report_key, read_report
from mu2net_core.repo.history import load_rules
from mu2net_core.repo.remotes import RemoteRepository, refused_task
from mu2net_core.storage import Store

__all__ = ["bring_reports", "send_reports"]

_MOST = 100
"""Reports of a task that are taken over at once."""


def send_reports(repo: Repository, there: RemoteRepository, tasks: Collection[str]) -> int:
    """Sends the reports of some tasks that lie beside commits that the remote has; returns how many.

    Those of tasks that its readers may not see stay here.

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

    One that is damaged, or is not of what it lies beside, stays out.
    """
    return _carry(there.store, repo, repo.store, repo.objects, tasks)


def _carry(source: Store, repo: Repository, target: Store, objects: ObjectDatabase, tasks: Collection[str]) -> int:
    found, count = _keys(source, tasks), 0
    there = _keys(target, tasks) if found else {}
    for task, keys in found.items():
        for key in sorted(keys - there.get(task, set()))[:_MOST]:
            with suppress(CorruptObjectError, NotFoundError):
                report, data = read_report(source, key, repo.limits)
                if objects.has("commit", report.commit) and _is_beside(report, repo):
                    count += target.create(key, data)
    return count


def _keys(store: Store, tasks: Collection[str]) -> dict[str, set[str]]:
    """Returns by task the keys of its reports; nothing is asked for where there are no tasks."""
    found: dict[str, set[str]] = {}
    for key in store.list(REPORTS) if tasks else ():
        place = parse_report_key(key)
        if place is not None and place[0] in tasks:
            found.setdefault(place[0], set()).add(key)
    return found


def _is_beside(report: StoredReport, repo: Repository) -> bool:
    """Returns whether a report is of the model that the commit retains which it lies beside."""
    commit = repo.objects.commit(report.commit)
    return (commit.task, commit.model) == (report.task, report.model)
