"""Where leases lie, and when they are over: they are neither refs nor objects, and nothing needs them.

``leases/<task>/<number>/<k>``: ``number`` is that of the head's newest entry when the work began, ``k`` counts from 1.
Once the head has a newer entry, the lease is over, whatever it says, and one ahead of the head never was one: anyone
may delete either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mu2net_core.objects import check_name, is_name
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.core.repository import LEASES
from mu2net_core.storage import Store

__all__ = ["dead_leases", "delete_leases", "lease_key", "parse_lease_key"]

_KEY = re.compile(rf"{LEASES}/(.+)/([0-9]{{8}})/([0-9]{{8}})")


def lease_key(task: str, number: int, k: int) -> str:
    """Returns where file ``k`` of the lease lies that holds while entry ``number`` is the newest of a task's head."""
    return f"{LEASES}/{check_name(task, 'task name')}/{number:08d}/{k:08d}"


def parse_lease_key(key: str) -> tuple[str, int, int] | None:
    """Returns task, number and k for the key of a lease, None for any other key."""
    match = _KEY.fullmatch(key)
    if match is None or not is_name(match[1]) or not int(match[2]) or not int(match[3]):
        return None
    return match[1], int(match[2]), int(match[3])


def dead_leases(store: Store, refs: Refs) -> Iterator[str]:
    """Yields the keys of leases on what is over: the head moved on, or never came there, or there is no such task."""
    placed = {key: place for key in store.list(LEASES) if (place := parse_lease_key(key)) is not None}
    newest = refs.numbers() if placed else {}
    yield from (key for key, (task, number, _) in placed.items() if task not in newest or number != newest[task])


def delete_leases(store: Store, task: str) -> None:
    """Deletes all leases on a task."""
    for key in list(store.list(LEASES)):
        place = parse_lease_key(key)
        if place is not None and place[0] == task:
            store.delete(key)
