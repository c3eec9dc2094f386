"""Checks heads, tags and roots: that they can be read, are contiguous, and chain."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mu2net_core.errors import Mu2netError
from mu2net_core.repo.findings import Problem
from mu2net_core.repo.refs import Refs, entry_key

__all__ = ["RefScan", "scan_refs"]

_ENTRY = re.compile(r"refs/heads/(.+)/(\d{8})")
_NAMED = re.compile(r"refs/(tags|roots)/(.+)")


@dataclass(slots=True, kw_only=True)
class RefScan:
    """The good refs of a repository, and what is wrong with the others.

    Attributes:
        commits: (task, number, commit id) of every head entry.
        tags: snapshot id by key.
        roots: model id by key.
        broken: (task, number) of entries that are damaged or missing; of two that do not chain, both.
        problems: found so far.
    """

    commits: list[tuple[str, int, str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    broken: list[tuple[str, int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def scan_refs(refs: Refs) -> RefScan:
    """Returns the refs of a repository."""
    scan = RefScan()
    numbers: dict[str, set[int]] = {}
    for key in refs.store.list("refs"):
        if match := _ENTRY.fullmatch(key):
            numbers.setdefault(match[1], set()).add(int(match[2]))
        elif match := _NAMED.fullmatch(key):
            _named(scan, refs, key, match[1])
        else:
            scan.problems.append(Problem(kind="damaged-ref", object=key, message="This is not a ref's name."))
    for task in sorted(numbers):
        _head(scan, refs, task, numbers[task])
    return scan


def _head(scan: RefScan, refs: Refs, task: str, numbers: set[int]) -> None:
    previous: str | None = None
    known = True  # whether the hash of the entry before is known
    last = max(numbers)
    for number in range(1, last + 1):
        key = entry_key(task, number)
        if number not in numbers:
            scan.broken.append((task, number))
            message = f"The entry is missing, though there are later ones up to {last}."
            scan.problems.append(Problem(kind="missing-ref", object=key, message=message))
            known = False
            continue
        try:
            state, entry = refs.entry(task, number)
        except Mu2netError as exc:
            scan.broken.append((task, number))
            way_out = " It is the newest: without that file the head is where it was before." if number == last else ""
            scan.problems.append(Problem(kind="damaged-ref", object=key, message=exc.message + way_out))
            known = False
            continue
        if known and entry.previous != previous:
            message = "It does not name the hash of the entry before it."
            scan.problems.append(Problem(kind="damaged-ref", object=key, message=message))
            scan.broken += [(task, number - 1), (task, number)] if number > 1 else [(task, number)]
        scan.commits.append((task, number, entry.commit))
        previous, known = state.entry_hash, True


def _named(scan: RefScan, refs: Refs, key: str, folder: str) -> None:
    try:
        (scan.tags if folder == "tags" else scan.roots)[key] = refs.read_id(key)
    except Mu2netError as exc:
        scan.problems.append(Problem(kind="damaged-ref", object=key, message=exc.message))
