"""Deleting what nobody needs, unless it was written anew a moment ago; and finding what killed programs left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from mu2net_core.errors import NotFoundError
from mu2net_core.storage import TEMP_PREFIX, Store, find_links, link_error, translated, walk

__all__ = ["CLOCK", "check_own", "delete_unless_newer", "leftovers", "put_back", "time_there"]

CLOCK = "state/gc-clock"
"""Written to learn what time it is where the objects lie."""

_ASIDE = ".gc-"
_PLACES = ("objects", "refs", "reports", "state", "leases")


def check_own(store: Store) -> None:
    """Raises CorruptObjectError if a link lies in the folder that ``store`` is: what must stay may be behind it."""
    folder = _folder(store)
    if folder is None:
        return
    with translated("look into", folder):
        found = next(find_links(folder, _PLACES), None)
    if found is not None:
        raise link_error(found)


def time_there(store: Store) -> datetime:
    """Returns the time by the clock of ``store``, to compare with when its objects were written."""
    store.refresh(CLOCK, b"mu2net gc reads the time of this file\n")
    return store.modified(CLOCK)


def delete_unless_newer(store: Store, key: str, limit: datetime) -> int | None:
    """Deletes ``key`` if it was last written before ``limit``.

    In a folder, whoever writes it anew at the same moment keeps it: it is looked at once more after it lost its name.
    Elsewhere that moment is one request long, and pushing looks whether what it relies on is still there.

    Returns:
        its size in bytes; None if it stays, or was gone.
    """
    try:
        if store.modified(key) >= limit:
            return None
        size = store.size(key)
        file = store.local_path(key)
        if file is None:
            store.delete(key)
            return size
        return size if _delete_file(store, key, file, limit) else None
    except (NotFoundError, FileNotFoundError):
        return None


def put_back(store: Store) -> int:
    """Gives files their names back that a killed sweep had taken; returns how many."""
    count = 0
    for file in _hidden(store, _ASIDE):
        with translated("give its name back to", file):
            with suppress(FileExistsError):
                os.link(file, file.with_name(file.name.removeprefix(_ASIDE)))
                count += 1
            file.unlink(missing_ok=True)
    return count


def leftovers(store: Store, limit: datetime) -> Iterator[Path]:
    """Yields files that killed programs did not finish and damaged copies set aside, from before ``limit``.

    Where the storage is no folder there are none.
    """
    folder = _folder(store)
    if folder is None:
        return
    kept = (walk(folder / "state" / place) for place in ("corrupt", "incoming"))
    files = [inside / name for found in kept for inside, names in found for name in names if name[0] != "."]
    for file in (*_hidden(store, TEMP_PREFIX), *files):
        with suppress(FileNotFoundError):
            if file.is_file() and file.stat().st_mtime < limit.timestamp():
                yield file


def _delete_file(store: Store, key: str, file: Path, limit: datetime) -> bool:
    aside = file.with_name(_ASIDE + file.name)
    with translated("delete", file):
        with suppress(FileExistsError):
            os.link(file, aside)
        store.delete(key)
        deleted = aside.stat().st_mtime < limit.timestamp()
        if not deleted:
            with suppress(FileExistsError):
                os.link(aside, file)
        aside.unlink(missing_ok=True)
    return deleted


def _hidden(store: Store, prefix: str) -> Iterator[Path]:
    folder = _folder(store)
    for inside, names in walk(folder) if folder is not None else ():
        yield from (inside / name for name in names if name.startswith(prefix))


def _folder(store: Store) -> Path | None:
    file = store.local_path("config.toml")
    return None if file is None else file.parent
