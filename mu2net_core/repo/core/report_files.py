"""Where reports lie, and what is in them: they are neither refs nor objects, and nothing needs them.

``reports/<task>/<commit>/<hash>.json``: beside a commit of the task, called by the hash of their bytes. What the task's
rule says of who may see it holds for them, too. Once the commit is gone, anyone may delete them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

from mu2net_core.errors import CorruptObjectError, Mu2netError, NotFoundError
from mu2net_core.objects import Limits, StoredReport, encode, hash_bytes, is_name
from mu2net_core.repo.core.format import decode_formatted
from mu2net_core.storage import Store

__all__ = [
    "REPORTS",
    "dead_reports",
    "delete_reports",
    "find_report",
    "parse_report_key",
    "put_report",
    "read_report",
    "reports_of",
]

REPORTS = "reports"
_KEY = re.compile(rf"{REPORTS}/(.+)/([0-9a-f]{{64}})/([0-9a-f]{{64}})\.json")


def put_report(store: Store, report: StoredReport) -> str:
    """Stores a report and returns its key."""
    data = encode(report)
    key = f"{REPORTS}/{report.task}/{report.commit}/{hash_bytes(data)}.json"
    store.create(key, data)
    return key


def parse_report_key(key: str) -> tuple[str, str] | None:
    """Returns task and commit for the key of a report, None for any other key."""
    match = _KEY.fullmatch(key)
    return (match[1], match[2]) if match is not None and is_name(match[1]) else None


def reports_of(store: Store, tasks: Collection[str]) -> dict[str, tuple[str, str]]:
    """Returns the keys of the reports of some tasks, sorted, each with its task and commit."""
    below = REPORTS if len(tasks) > 1 else "/".join((REPORTS, *tasks))
    places = {key: parse_report_key(key) for key in sorted(store.list(below))} if tasks else {}
    return {key: place for key, place in places.items() if place is not None and place[0] in tasks}


def read_report(store: Store, key: str, limits: Limits) -> tuple[StoredReport, bytes]:
    """Returns the report at ``key``, checked, and its bytes.

    Raises:
        NotFoundError: it is gone.
        CorruptObjectError: its bytes have another hash, are no report, or one of something else.
        NewerError: it is of another format.
    """
    data = store.read(key, limit=limits.manifest_bytes)
    if not key.endswith(f"/{hash_bytes(data)}.json"):
        raise CorruptObjectError(f"The report {key} in {store.url} is damaged: its bytes have another hash.")
    report = decode_formatted(StoredReport, data, what=key, limits=limits)
    if (report.task, report.commit) != parse_report_key(key):
        raise CorruptObjectError(f"The report {key} in {store.url} is of another task or commit.")
    return report, data


def find_report(store: Store, task: str, model: str, split: str, limits: Limits) -> StoredReport | None:
    """Returns a report of a model on a split; None if there is none that can be read."""
    for key in reports_of(store, [task]):
        with suppress(Mu2netError):
            report, _ = read_report(store, key, limits)
            if (report.model, report.split) == (model, split):
                return report
    return None


def dead_reports(store: Store, is_alive: Callable[[str], bool]) -> Iterator[str]:
    """Yields the keys of reports beside commits that are gone, as ``is_alive`` says."""
    for key in store.list(REPORTS):
        place = parse_report_key(key)
        if place is not None and not is_alive(place[1]):
            yield key


def delete_reports(store: Store, task: str) -> None:
    """Deletes all reports of a task."""
    for key in reports_of(store, [task]):
        with suppress(NotFoundError):
            store.delete(key)
