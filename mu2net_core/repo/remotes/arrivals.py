"""Objects as they arrive from elsewhere: bounded, checked, and kept where an interrupted transfer finds them again."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Kind, hash_bytes, object_key
from mu2net_core.repo.core import repair_hint
from mu2net_core.storage import Store, make_folder

__all__ = ["Incoming", "read_checked"]


def read_checked(store: Store, kind: Kind, oid: str, *, limit: int, name: str) -> bytes:
    """Returns an object's bytes from another repository. A wrong hash is read once more: transfers fail, too.

    Args:
        store: where from.
        kind: of the object.
        oid: its id.
        limit: the most bytes that are brought over.
        name: the remote's, for messages.

    Raises:
        NotFoundError: it is not there.
        CorruptObjectError: it is larger than ``limit``, or twice had another hash.
    """
    key, found = object_key(kind, oid), ""
    for _ in range(2):
        try:
            data = store.read(key, limit=limit)
        except NotFoundError as exc:
            raise MissingObjectError(kind, oid, f"is missing on the remote {name}: {exc.message}") from exc
        found = hash_bytes(data)
        if found == oid:
            return data
    raise CorruptObjectError(
        f"The {kind} {oid} on the remote {name} ({store.url}) is damaged: its bytes hash to {found}. "
        "It was not taken over.",
        hint=repair_hint(name),
    )


class MissingObjectError(NotFoundError):
    """An object that a remote should have, and does not."""

    def __init__(self, kind: Kind, oid: str, what: str) -> None:
        hint = "Run `mu2net push` in a copy that has it: that sends again what is lost there."
        super().__init__(f"The {kind} {oid} {what}", hint=hint)
        self.node = kind, oid


class Incoming:
    """Manifests that arrived before what they need, in a folder of local state. Losing it costs reading them again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, kind: Kind, oid: str) -> bytes | None:
        """Returns what was kept of an object, if it is whole."""
        try:
            data = self._file(kind, oid).read_bytes()
        except OSError:
            return None
        return data if hash_bytes(data) == oid else None

    def keep(self, kind: Kind, oid: str, data: bytes) -> None:
        """Keeps an object until what it needs is here; a full disk is noticed when that is stored."""
        with suppress(OSError):
            make_folder(self._folder, sync=False)
            self._file(kind, oid).write_bytes(data)

    def drop(self, kind: Kind, oid: str) -> None:
        """Forgets an object."""
        with suppress(OSError):
            self._file(kind, oid).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forgets everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, kind: Kind, oid: str) -> Path:
        return self._folder / f"{kind}-{oid}"
