"""What follows from commits or models, noted in a local file so that it need not be found again.

Such a file is derived and may be deleted at any time. It cannot be wrong, only incomplete: what it holds is keyed by
the ids of objects, which never change; which of them count, the heads decide each time; a file that was damaged or made
by another version is ignored; and a purge deletes it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import GenericAlias
from typing import Generic, Protocol, TypeVar

import msgspec

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import hash_bytes
from mu2net_core.storage import Store, replace_file, translated

__all__ = ["CREDITS_FILE", "HISTORY_FILE", "MEASURED_FILE", "Notes", "forget_history"]

HISTORY_FILE = "state/history"
CREDITS_FILE = "state/credits"
MEASURED_FILE = "state/measured"


class _Noted(Protocol):
    @property
    def oid(self) -> str:
        """The id of the object that it is of."""


T = TypeVar("T", bound=_Noted)


class Notes(Generic[T]):
    """Values by the id of a commit or model, read from a file as far as that has them.

    Attributes:
        file: where.
    """

    def __init__(self, file: Path, version: bytes, kind: type[T]) -> None:
        """Reads a file that holds values of a kind; ``version`` names the kind and changes with it."""
        self.file = file
        self._version = version
        self._known = _read(file, version, kind)
        self._num_new = 0

    def get(self, oid: str) -> T | None:
        """Returns what is noted of an object; None if nothing is."""
        return self._known.get(oid)

    def add(self, value: T) -> T:
        """Notes a value, and returns it."""
        self._known[value.oid] = value
        self._num_new += 1
        return value

    def keep(self, worth: int) -> None:
        """Writes the file again if ``worth`` and a tenth of all are new; where that fails, they are found again."""
        if self._num_new < max(worth, len(self._known) // 10):
            return
        body = msgspec.json.encode(list(self._known.values()))
        with suppress(Mu2netError):
            replace_file(self.file, b"%b %b\n%b" % (self._version, hash_bytes(body).encode(), body))
            self._num_new = 0


def forget_history(store: Store) -> None:
    """Deletes what was noted of the commits in ``store``, because some of them may have been deleted."""
    for key in (HISTORY_FILE, CREDITS_FILE, MEASURED_FILE):
        file = store.local_path(key)
        if file is not None:
            with translated("delete", file):
                file.unlink(missing_ok=True)


def _read(file: Path, version: bytes, kind: type[T]) -> dict[str, T]:
    """Returns what was noted, by id; nothing if there is no whole file of this version."""
    try:
        head, _, body = file.read_bytes().partition(b"\n")
        if head != b"%b %b" % (version, hash_bytes(body).encode()):
            return {}
        values: list[T] = msgspec.json.decode(body, type=GenericAlias(list, (kind,)))
        return {value.oid: value for value in values}
    except (OSError, msgspec.MsgspecError):
        return {}
