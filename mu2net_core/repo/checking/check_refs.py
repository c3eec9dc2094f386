"""Checks heads, tags and roots: that they can be read, are contiguous, and chain."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.objects import is_name
from mu2net_core.repo.core import (
    Problem,
    Purged,
    Refs,
    Tombstone,
    entry_key,
    is_current,
    is_epoch_key,
    parse_entry_key,
    parse_tombstone_key,
    repairing,
    told_link,
)
from mu2net_core.storage import is_link, walk

__all__ = ["RefScan", "scan_refs"]

_GAP = 1_000
_NAMED = re.compile(r"refs/(tags|roots)/(.+)")


@dataclass(slots=True, kw_only=True)
class RefScan:
    """The good refs of a repository, and what is wrong with the others.

    Attributes:
        commits: (task, number, commit id) of every head entry.
        tags: snapshot id by key.
        roots: model id by key.
        broken: (task, number) of entries that are damaged or missing; of two that do not chain, both.
        tombstones: of what was purged, by key.
        foreign: those of other repositories, likewise: they count for nothing.
        problems: found so far.
    """

    commits: list[tuple[str, int, str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    broken: list[tuple[str, int]] = field(default_factory=list)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)
    foreign: dict[str, Tombstone] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def purged(self) -> Purged:
        """What was purged, and so may be missing."""
        return Purged(self.tombstones.values())


def scan_refs(refs: Refs, identity: str) -> RefScan:
    """Returns the refs of the repository of that identity."""
    scan = RefScan()
    numbers: dict[str, set[int]] = {}
    for key in _listed(scan, refs):
        if place := parse_entry_key(key):
            numbers.setdefault(place[0], set()).add(place[1])
        elif (match := _NAMED.fullmatch(key)) and is_name(match[2]):
            _named(scan, refs, key, match[1])
        elif parse_tombstone_key(key) or is_epoch_key(key):
            _other(scan, refs, key, identity)
        else:
            message = told_link(refs.store, key) or "This is not a ref's name."
            scan.problems.append(Problem(kind="damaged-ref", object=key, message=message))
    for task in sorted(numbers):
        _head(scan, refs, task, numbers[task])
    _folders(scan, refs)
    return scan


def _listed(scan: RefScan, refs: Refs) -> list[str]:
    """Returns the keys of all refs; none if their folder is a link, which is noted."""
    try:
        return list(refs.store.list("refs"))
    except CorruptObjectError as exc:
        scan.problems.append(Problem(kind="damaged-ref", object="refs", message=exc.message))
        return []


def _folders(scan: RefScan, refs: Refs) -> None:
    """Notes folders where files belong: no listing shows an empty one, and no ref can be made in its place."""
    root = refs.store.local_path("refs")
    if root is None or is_link(root):
        return
    for folder, names in walk(root):
        key = folder.relative_to(root.parent).as_posix()
        is_of_name = _NAMED.fullmatch(key) is not None and not names and not any(folder.iterdir())
        if is_of_name or parse_entry_key(key) or parse_tombstone_key(key) or is_epoch_key(key):
            message = f"A folder is in the place of a file, and keeps it from being made. Delete it: {folder}"
            scan.problems.append(Problem(kind="damaged-ref", object=key, message=message))


def _head(scan: RefScan, refs: Refs, task: str, numbers: set[int]) -> None:
    previous: str | None = None
    known = True  # whether the hash of the entry before is known
    expected, last = 1, max(numbers)
    for number in sorted(numbers):
        key = entry_key(task, number)
        before = expected - 1  # the one that it follows, if there is no gap
        if number > expected:
            _missing(scan, refs, task, range(expected, number), is_last=number == last)
            known = False
        expected = number + 1
        try:
            state, entry = refs.entry(task, number)
        except Mu2netError as exc:
            scan.broken.append((task, number))
            message = exc.message + (_way_out(refs, task, number, before) if number == last else _restore(refs))
            scan.problems.append(Problem(kind="damaged-ref", object=key, message=message))
            known = False
            continue
        if known and entry.previous != previous:
            message = "It does not name the hash of the entry before it."
            scan.problems.append(Problem(kind="damaged-ref", object=key, message=message))
            scan.broken += [(task, number - 1), (task, number)] if number > 1 else [(task, number)]
        scan.commits.append((task, number, entry.commit))
        previous, known = state.entry_hash, True


def _restore(refs: Refs) -> str:
    return f" `{repairing(refs.remote)}` restores it."


def _way_out(refs: Refs, task: str, number: int, before: int) -> str:
    """Returns what can be done about a head's newest entry, and what that loses."""
    return (
        f"{_restore(refs)} It is the newest: if neither that copy nor the last exchange with a remote knows it, "
        f"{_deleting(refs, task, number, before)}, and what it moved to after that is lost."
    )


def _deleting(refs: Refs, task: str, number: int, before: int) -> str:
    """Returns how to give up the newest entry of a head, and where that leaves it."""
    key = entry_key(task, number)
    where = f"the head of {task} is at its entry {before} again" if before else f"there is no task {task} here any more"
    return f"delete {refs.store.local_path(key) or key}: then {where}"


def _missing(scan: RefScan, refs: Refs, task: str, missing: range, *, is_last: bool) -> None:
    """Notes entries that are missing before another one; of very many, only the first can be restored at once."""
    first, following = missing.start, missing.stop
    scan.broken += [(task, number) for number in missing[:_GAP]]
    what = "The entry is missing" if len(missing) == 1 else f"The entries {first} to {following - 1} are missing"
    message = f"{what}, though there is an entry {following}."
    if is_last:
        message += f" If no copy has what is missing, {_deleting(refs, task, following, first - 1)}."
    scan.problems.append(Problem(kind="missing-ref", object=entry_key(task, first), message=message))


def _other(scan: RefScan, refs: Refs, key: str, identity: str) -> None:
    """Checks a tombstone or an epoch."""
    try:
        if is_epoch_key(key):
            if not is_current(refs.store, key.rpartition("/")[2]):
                message = "It does not hold its own name. Delete it: pushing and fetching work without."
                scan.problems.append(Problem(kind="damaged-ref", object=key, message=message))
        else:
            stone = refs.tombstone(key)
            (scan.tombstones if stone.identity == identity else scan.foreign)[key] = stone
    except Mu2netError as exc:
        scan.problems.append(Problem(kind="damaged-ref", object=key, message=exc.message))


def _named(scan: RefScan, refs: Refs, key: str, folder: str) -> None:
    try:
        (scan.tags if folder == "tags" else scan.roots)[key] = refs.read_id(key)
    except Mu2netError as exc:
        scan.problems.append(Problem(kind="damaged-ref", object=key, message=exc.message))
