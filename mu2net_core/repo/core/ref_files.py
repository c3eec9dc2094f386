"""The files that refs are: where each lies, and what its bytes must be."""

from __future__ import annotations

import re
from typing import TypeVar

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import LIMITS, HeadEntry, Limits, check_name, encode, is_name
from mu2net_core.repo.core.format import decode_formatted
from mu2net_core.repo.core.hints import repair_hint
from mu2net_core.repo.core.tombstones import Tombstone
from mu2net_core.storage import Store

__all__ = ["LAST", "RefFiles", "entry_key", "parse_entry_key", "parse_tombstone_key"]

Numbered = TypeVar("Numbered", HeadEntry, Tombstone)

LAST = 99_999_999
"""The highest number that an entry of a head can have."""
_ENTRY = re.compile(r"refs/heads/(.+)/([0-9]{8})")
_TOMBSTONE = re.compile(r"refs/purged/(.+)/([0-9]{8})")
_OID_LINE = re.compile(rb"[0-9a-f]{64}\n")


class RefFiles:
    """Reads single files of the refs of one repository, and believes nothing of their bytes.

    Attributes:
        store: where they are.
        remote: its name as a remote; None for the one at hand.
        limits: how much of a file, and how many of them, are accepted.
    """

    def __init__(self, store: Store, limits: Limits = LIMITS, *, remote: str | None = None) -> None:
        self.store = store
        self.remote = remote
        self.limits = limits

    def entry(self, task: str, number: int) -> tuple[HeadEntry, bytes]:
        """Returns one entry of a head, and its bytes; may be of a later version and say more.

        Raises:
            NotFoundError: there is no such entry.
            CorruptObjectError: the file is empty, cut off or otherwise not an entry.
        """
        key = entry_key(task, number)
        data = self.store.read(key, limit=self.limits.ref_bytes)
        entry = self._decode(data, HeadEntry, key)
        again = encode(entry)
        if again != data and len(again) >= len(data):  # more may be there; not less
            raise self._damaged(key, data)
        return entry, data

    def tombstone(self, key: str) -> Tombstone:
        """Returns the tombstone at ``key``; raises CorruptObjectError if it holds none, or that of another task."""
        data = self.store.read(key, limit=self.limits.ref_bytes)
        stone = self._decode(data, Tombstone, key)
        place = parse_tombstone_key(key)
        if place is None or place[0] != stone.task or encode(stone) != data:
            raise self._damaged(key, data)
        return stone

    def id(self, key: str) -> str:
        """Returns the id in the file of a tag or root; raises CorruptObjectError if it holds none."""
        data = self.store.read(key, limit=self.limits.ref_bytes)
        if not _OID_LINE.fullmatch(data):
            raise self._damaged(key, data)
        return data[:64].decode()

    def check_count(self, count: int, what: str) -> None:
        """Raises CorruptObjectError if there are more files than are accepted."""
        if count > self.limits.refs:
            raise CorruptObjectError(
                f"{self.store.url} has more than {self.limits.refs} {what}, which is the limit.",
                hint="If you trust it: mu2net config set limits.refs NUMBER",
            )

    def _decode(self, data: bytes, kind: type[Numbered], key: str) -> Numbered:
        """Returns the entry or tombstone that ``data`` is; raises CorruptObjectError if it is none."""
        try:
            return decode_formatted(kind, data, what=key, limits=self.limits)
        except CorruptObjectError as exc:
            raise self._damaged(key, data) from exc

    def _damaged(self, key: str, data: bytes) -> CorruptObjectError:
        what = "empty" if not data else f"cut off or damaged ({len(data)} bytes)"
        return CorruptObjectError(
            f"The ref {key} in {self.store.url} is {what}: it names no object.", hint=repair_hint(self.remote)
        )


def entry_key(task: str, number: int) -> str:
    """Returns where entry ``number`` of a head lies."""
    if not 1 <= number <= LAST:
        raise NotFoundError(f"A head has no entry {number}: they are numbered from 1.")
    return f"refs/heads/{check_name(task, 'task name')}/{number:08d}"


def parse_entry_key(key: str) -> tuple[str, int] | None:
    """Returns (task, number) for the key of a head's entry, None for any other key."""
    return _numbered(_ENTRY.fullmatch(key))


def parse_tombstone_key(key: str) -> tuple[str, int] | None:
    """Returns (task, number) for the key of a tombstone, None for any other key."""
    return _numbered(_TOMBSTONE.fullmatch(key))


def _numbered(match: re.Match[str] | None) -> tuple[str, int] | None:
    if match is None or not is_name(match[1]) or int(match[2]) == 0:
        return None
    return match[1], int(match[2])
