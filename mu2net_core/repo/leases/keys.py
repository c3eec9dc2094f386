"""Where leases lie, and when they are over: they are neither refs nor objects, and nothing needs them.

``leases/<task>/<number>/<k>``: ``number`` is that of the head's newest entry when the work began, ``k`` counts from 1
without gaps. Once the head has a newer entry, the lease is over, whatever it says, and one ahead of the head never was
one: anyone may delete either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mu2net_core.objects import check_name, is_name
from mu2net_core.repo.core import LEASES, Refs
from mu2net_core.storage import Store

__all__ = ["dead_leases", "delete_leases", "lease_key", "newest_files", "parse_lease_key", "remove_leases"]

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


def newest_files(keys: Iterable[str]) -> dict[str, dict[int, int]]:
    """Returns by task, and by number of the head's entry, which file of the lease is the newest.

    Files after a gap count for nothing, so that nobody can use the numbers up; without file 1 the newest is 0.
    """
    found: dict[str, dict[int, set[int]]] = {}
    for key in keys:
        place = parse_lease_key(key)
        if place is not None:
            found.setdefault(place[0], {}).setdefault(place[1], set()).add(place[2])
    return {
        task: {number: next(k for k in range(len(files) + 1) if k + 1 not in files) for number, files in own.items()}
        for task, own in found.items()
    }


def dead_leases(store: Store, refs: Refs) -> Iterator[str]:
    """Yields the keys of leases on what is over: the head moved on, or never came there, or there is no such task."""
    placed = {key: place for key in store.list(LEASES) if (place := parse_lease_key(key)) is not None}
    newest = refs.numbers() if placed else {}
    yield from (key for key, (task, number, _) in placed.items() if task not in newest or number != newest[task])


def delete_leases(store: Store, task: str) -> None:
    """Deletes all leases on a task."""
    places = ((key, parse_lease_key(key)) for key in list(store.list(LEASES)))
    remove_leases(store, [key for key, place in places if place is not None and place[0] == task])


def remove_leases(store: Store, keys: Iterable[str]) -> None:
    """Deletes files of leases, and the folders that are empty then, where there are folders."""
    for key in keys:
        store.delete(key)
        file = store.local_path(key)
        if file is not None:
            with suppress(OSError):  # one that is not empty stays, and so do those that it is in
                for folder, _ in zip(file.parents, key.split("/")[1:], strict=False):
                    folder.rmdir()
