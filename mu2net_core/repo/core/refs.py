"""Heads, tags and roots: small files, each created once. The newest numbered entry of a head is where it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mu2net_core.errors import (
    AlreadyExistsError,
    ConflictError,
    CorruptObjectError,
    InvalidInputError,
    Mu2netError,
    NotFoundError,
)
from mu2net_core.objects import (
    LIMITS,
    HeadEntry,
    Limits,
    check_name,
    check_oid,
    encode,
    hash_bytes,
    is_name,
)
from mu2net_core.repo.core.hints import repair_hint
from mu2net_core.repo.core.ref_files import LAST, RefFiles, entry_key, parse_entry_key, parse_tombstone_key
from mu2net_core.repo.core.tombstones import Tombstone
from mu2net_core.storage import Store

__all__ = ["MOST_STONES", "HeadState", "Refs"]

MOST_STONES = 1_000
"""So many tombstones of a task are read: they list hundreds of thousands of objects."""
_RACES = 100
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadState:
    """One entry of a head's log: its number (from 1), the hash of its bytes, and the commit it moved to."""

    task: str
    number: int
    entry_hash: str
    commit: str


class Refs:
    """The refs of one repository.

    Attributes:
        store: where they are.
        remote: its name as a remote; None for the one at hand.
    """

    def __init__(self, store: Store, limits: Limits = LIMITS, *, remote: str | None = None) -> None:
        self.store = store
        self.remote = remote
        self._files = RefFiles(store, limits, remote=remote)
        self._known: dict[str, int] = {}

    def tasks(self) -> tuple[str, ...]:
        """Returns the names of all tasks with a head, removed ones too, sorted; lists the store."""
        return tuple(sorted(self.numbers()))

    def numbers(self) -> Mapping[str, int]:
        """Returns the number of the newest entry of every head by task name; one listing, nothing is read."""
        return self.listing()[0]

    def listing(self, keys: Iterable[str] | None = None) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Returns the number of the newest entry of every head, and the first missing one of logs that have a gap.

        The newest is the one that ``head`` finds. One listing, none if its ``keys`` are given; nothing is read.
        """
        whole: dict[str, int] = {}
        beyond: dict[str, set[int]] = {}
        for key in sorted(self.store.list("refs/heads") if keys is None else keys):
            place = parse_entry_key(key)
            if place is None:
                continue
            task, number = place
            if number == whole.get(task, 0) + 1:
                whole[task] = number
                self._files.check_count(len(whole), "tasks")
            else:
                beyond.setdefault(task, set()).add(number)
        gaps = {task: whole.get(task, 0) + 1 for task in beyond}
        for task, others in beyond.items():
            newest = _newest(0, {*range(1, gaps[task]), *others}.__contains__)
            whole |= {task: newest} if newest else {}
        return whole, gaps

    def heads(self) -> Mapping[str, HeadState]:
        """Returns every head by task name; one listing and one read per task."""
        return {task: self.entry(task, number)[0] for task, number in sorted(self.numbers().items())}

    def head(self, task: str, *, known: int = 0) -> HeadState | None:
        """Returns the newest entry of a head, or None if there is none.

        Probes upward from ``known`` or the last number met; lists nothing.
        """
        number = self.number(task, known=known)
        return self.entry(task, number)[0] if number else None

    def number(self, task: str, *, known: int = 0) -> int:
        """Returns the number of the newest entry of a head, 0 if there is none; probes likewise, and reads nothing."""
        number = max(known, self._known.get(check_name(task, "task name"), 0))
        number = _newest(number, lambda wanted: self._exists(task, wanted))
        if number:
            self._known[task] = number
        return number

    def log(self, task: str) -> tuple[HeadState, ...]:
        """Returns all entries of a head, oldest first, with their chain of hashes checked.

        Raises:
            CorruptObjectError: an entry is damaged, or does not follow the one before it.
        """
        newest = self.head(task)
        states: list[HeadState] = []
        for number in range(1, (newest.number if newest else 0) + 1):
            try:
                state, entry = self.entry(task, number)
            except NotFoundError as exc:
                raise CorruptObjectError(
                    f"The head of {task} is damaged: {entry_key(task, number)} is missing.",
                    hint=repair_hint(self.remote),
                ) from exc
            if entry.previous != (states[-1].entry_hash if states else None):
                raise CorruptObjectError(
                    f"The head of {task} is damaged: {entry_key(task, number)} does not follow the entry before it.",
                    hint=repair_hint(self.remote),
                )
            states.append(state)
        return tuple(states)

    def entry(self, task: str, number: int) -> tuple[HeadState, HeadEntry]:
        """Returns one entry of a head, as a state and as it is stored.

        Raises:
            NotFoundError: there is no such entry.
            CorruptObjectError: the file is empty, cut off or otherwise not an entry.
        """
        entry, data = self._files.entry(task, number)
        return HeadState(task=task, number=number, entry_hash=hash_bytes(data), commit=entry.commit), entry

    def holds(self, state: HeadState) -> bool:
        """Returns whether an entry is there as it was seen."""
        try:
            return self.entry(state.task, state.number)[0] == state
        except NotFoundError:
            return False

    def append(self, task: str, commit_id: str, *, after: HeadState | None) -> HeadState:
        """Moves a head to ``commit_id`` by creating the entry that follows ``after``, and returns it.

        Raises:
            ConflictError: somebody else created that entry first.
            CorruptObjectError: something that is no entry is in its place.
        """
        number = after.number + 1 if after else 1
        entry = HeadEntry(commit=check_oid(commit_id), previous=after.entry_hash if after else None)
        data = encode(entry)
        key = entry_key(task, number)
        try:
            self.store.create(key, data)
        except AlreadyExistsError as exc:
            if not self.store.exists(key):
                raise CorruptObjectError(
                    f"The head of {task} cannot move. {exc.message} Whatever it is, no repository has it there.",
                    hint="Delete it or put it elsewhere, then say the same again.",
                ) from exc
            raise ConflictError(
                f"The head of {task} moved meanwhile: somebody else created {key} in {self.store.url}.",
                hint="Read the head again and move on from there (`mu2net pull`, then repeat).",
            ) from exc
        self._known[task] = number
        return HeadState(task=task, number=number, entry_hash=hash_bytes(data), commit=commit_id)

    def tags(self, known: Mapping[str, str] = _NONE) -> Mapping[str, str]:
        """Returns the snapshot id of every tag by name; one listing, and one read for each that is not ``known``.

        Raises:
            CorruptObjectError: the file of one is damaged.
        """
        return self._all("tags", known)

    def tag(self, name: str) -> str:
        """Returns the snapshot id of a tag; raises NotFoundError if there is none."""
        return self.read_id(f"refs/tags/{check_name(name, 'tag name')}")

    def delete_tag(self, name: str) -> None:
        """Deletes a tag; raises NotFoundError if there is none."""
        self.tag(name)
        key = f"refs/tags/{name}"
        self.store.delete(key)
        file = self.store.local_path(key)
        if file is not None:
            with suppress(OSError):  # of "a/b" an empty folder "a" would stay, and no tag could be called so
                for folder, _ in zip(file.parents, name.split("/")[1:], strict=False):
                    folder.rmdir()

    def create_tag(self, name: str, snapshot_id: str) -> None:
        """Creates a tag; raises AlreadyExistsError if it exists and is another snapshot."""
        self._create_id("tags", check_name(name, "tag name"), snapshot_id)

    def roots(self, known: Mapping[str, str] = _NONE) -> Mapping[str, str]:
        """Returns the model id of every root model by name; otherwise as ``tags``."""
        return self._all("roots", known)

    def names(
        self, folder: Literal["tags", "roots"], known: Mapping[str, str] = _NONE
    ) -> tuple[dict[str, str], dict[str, Mu2netError]]:
        """Returns what every tag, or every root, names; and what is wrong with those whose files are damaged.

        Args:
            folder: which of them.
            known: those that need not be read.
        """
        found, bad = dict[str, str](), dict[str, Mu2netError]()
        for name in self.listed(folder):
            try:
                found[name] = known.get(name) or self.read_id(f"refs/{folder}/{name}")
            except (CorruptObjectError, NotFoundError) as exc:  # deleted since it was listed, too
                bad[name] = exc
        return found, bad

    def listed(self, folder: Literal["tags", "roots"]) -> list[str]:
        """Returns the names of all tags, or roots, whatever is in their files; one listing."""
        names = []
        for key in self.store.list(f"refs/{folder}"):
            name = key.removeprefix(f"refs/{folder}/")
            if is_name(name):
                names.append(name)
                self._files.check_count(len(names), folder)
        return names

    def read_id(self, key: str) -> str:
        """Returns the id in the file of a tag or root; raises CorruptObjectError if it holds none."""
        return self._files.id(key)

    def create_root(self, name: str, model_id: str) -> None:
        """Creates a root; raises AlreadyExistsError if it exists and is another model."""
        self._create_id("roots", check_name(name, "root name"), model_id)

    def tombstones(
        self, tasks: Collection[str] | None = None
    ) -> tuple[dict[str, tuple[Tombstone, ...]], dict[str, Mu2netError]]:
        """Returns what was purged, by task name, oldest first; and what is wrong with that of a task.

        One listing, and one read per tombstone. Of a task one of whose tombstones is damaged the others are returned.

        Args:
            tasks: whose to read; by default all.
        """
        keys: dict[str, list[str]] = {}
        for key in sorted(self.store.list("refs/purged")):
            place = parse_tombstone_key(key)
            if place is not None and (tasks is None or place[0] in tasks):
                keys.setdefault(place[0], []).append(key)
        self._files.check_count(len(keys), "purged tasks")
        stones, bad = dict[str, tuple[Tombstone, ...]](), dict[str, Mu2netError]()
        for task, own in sorted(keys.items()):
            found, error = self._readable(task, own)
            stones |= {task: found} if found else {}
            bad |= {} if error is None else {task: error}
        return stones, bad

    def every_tombstone(self) -> tuple[Tombstone, ...]:
        """Returns all that was purged, oldest first for each task.

        Raises:
            CorruptObjectError: a tombstone is damaged.
        """
        stones, bad = self.tombstones()
        for error in bad.values():
            raise error
        return tuple(stone for own in stones.values() for stone in own)

    def _readable(self, task: str, keys: Sequence[str]) -> tuple[tuple[Tombstone, ...], Mu2netError | None]:
        """Returns the tombstones of a task that can be read, and the first error of the others."""
        if len(keys) > MOST_STONES:
            where = f"{self.store.url} has more than {MOST_STONES} tombstones of {task}"
            return (), CorruptObjectError(f"{where}, which no purge makes: none was read.")
        found, error = list[Tombstone](), None
        for key in keys:
            try:
                found.append(self.tombstone(key))
            except (CorruptObjectError, InvalidInputError, NotFoundError) as exc:
                error = error or exc
        return tuple(found), error

    def tombstone(self, key: str) -> Tombstone:
        """Returns the tombstone at ``key``; raises CorruptObjectError if it holds none, or that of another task."""
        return self._files.tombstone(key)

    def create_tombstone(self, stone: Tombstone) -> str:
        """Adds a tombstone to those of its task and returns its key; one that says the same is there once.

        However many somebody made, one listing says which number is free.
        """
        data, folder = encode(stone), f"refs/purged/{stone.task}"
        for _ in range(_RACES):
            places = {place: key for key in self.store.list(folder) if (place := parse_tombstone_key(key))}
            taken = {number: key for (task, number), key in places.items() if task == stone.task}
            self._files.check_count(len(taken), f"tombstones of {stone.task}")
            same = next((key for key in taken.values() if self.store.holds(key, data)), None)
            if same is not None:
                return same
            key = f"{folder}/{next(n for n in range(1, len(taken) + 2) if n not in taken):08d}"
            with suppress(AlreadyExistsError):
                self.store.create(key, data)
                return key
        raise ConflictError(f"Others kept making tombstones of {stone.task} in {self.store.url}.", hint="Try again.")

    def _exists(self, task: str, number: int) -> bool:
        return number <= LAST and self.store.exists(entry_key(task, number))

    def _all(self, folder: Literal["tags", "roots"], known: Mapping[str, str]) -> Mapping[str, str]:
        found, bad = self.names(folder, known)
        for error in bad.values():
            raise error
        return found

    def _create_id(self, folder: str, name: str, oid: str) -> None:
        try:
            self.store.create(f"refs/{folder}/{name}", f"{check_oid(oid)}\n".encode())
        except AlreadyExistsError as exc:
            raise AlreadyExistsError(
                f"Cannot create {folder.removesuffix('s')} {name}: one of that name (or below it) exists already, and "
                "names are never moved.",
                hint="Choose another name.",
            ) from exc

    def __repr__(self) -> str:
        return f"Refs({self.store.url})"


def _newest(known: int, exists: Callable[[int], bool]) -> int:
    """Returns the number of the newest entry, given that ``known`` is there, or 0; in O(log) questions."""
    while exists(known + 1):
        known, step = known + 1, 1
        while exists(known + step):
            known, step = known + step, step * 2
        high = known + step  # known is there, high is not
        while high - known > 1:
            middle = (known + high) // 2
            known, high = (middle, high) if exists(middle) else (known, middle)
    return known
