"""Brings damaged and missing entries of heads back. An entry is nothing but a commit and the hash of the one before it.

So in the middle of a log the next good entry proves, hash by hash, which commits those before it named: whatever is
tried, a wrong guess is never taken over. Only of the newest entry nothing tells but where the head was last seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, combinations, groupby, islice, product

from mu2net_core.errors import AccessDeniedError, Mu2netError
from mu2net_core.objects import LIMITS, HeadEntry, decode_strict, encode, hash_bytes
from mu2net_core.repo.check_objects import Scan
from mu2net_core.repo.check_refs import RefScan
from mu2net_core.repo.findings import Source
from mu2net_core.repo.merge import contains
from mu2net_core.repo.patient import Patient
from mu2net_core.repo.refs import entry_key
from mu2net_core.repo.restore import alike

__all__ = ["restore_entries"]

_GUESSES = 20_000
_COMMIT = slice(11, 75)  # where an entry names its commit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Entries of one head, next to each other, that are damaged, missing or suspect.

    Attributes:
        task: the head's.
        numbers: the entries'.
        before: hash of the entry before them; None if there is none.
        base: the commit that one named.
        expected: what the entry after them says the last one's hash is; None if they are the newest.
        following: the commit that entry names.
    """

    task: str
    numbers: tuple[int, ...]
    before: str | None
    base: str | None
    expected: str | None
    following: str | None


def restore_entries(patient: Patient, source: Source, scan: Scan, refs: RefScan) -> list[str]:
    """Restores entries that are damaged, missing, do not chain or name nothing; returns the keys of those restored.

    Raises:
        AccessDeniedError: permissions forbid replacing them.
    """
    purged = refs.purged
    lost = {
        (task, number)
        for task, number, oid in refs.commits
        if oid not in scan.commits and purged.lists(("commit", oid)) is None
    }
    restored = []
    for task, numbers in groupby(sorted({*refs.broken, *lost}), key=lambda entry: entry[0]):
        for numbered in _runs([number for _, number in numbers]):
            run = _bounded(patient, task, numbered)
            data = None if run is None else next(_ways(patient, source, scan, refs, run), None)
            if run is not None and data is not None:
                keys = [entry_key(task, number) for number in run.numbers]
                restored += [key for key, entry in zip(keys, data, strict=True) if patient.replace(key, entry)]
    return restored


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        yield tuple(number for _, number in run)


def _bounded(patient: Patient, task: str, numbers: tuple[int, ...]) -> _Run | None:
    """Returns what is known around ``numbers``; None if a neighbour that counts as good cannot be read."""
    first, last = numbers[0], numbers[-1]
    try:
        before = patient.refs.entry(task, first - 1)[0] if first > 1 else None
        after = None
        if patient.store.exists(entry_key(task, last + 1)):
            after = patient.refs.entry(task, last + 1)[1]
    except Mu2netError:
        return None
    return _Run(
        task=task,
        numbers=numbers,
        before=before.entry_hash if before else None,
        base=before.commit if before else None,
        expected=after.previous if after else None,
        following=after.commit if after else None,
    )


def _ways(patient: Patient, source: Source, scan: Scan, refs: RefScan, run: _Run) -> Iterator[tuple[bytes, ...]]:
    """Yields the entries as they may have been, the best way first."""
    written = (_chained(run.before, commits) for commits in _as_written(patient, scan, run))
    if run.expected is not None:
        guesses = islice(_guesses(scan, run), max(1, _GUESSES // len(run.numbers)))
        ways = chain(_theirs(source, run), written, (_chained(run.before, commits) for commits in guesses))
        yield from (way for way in ways if hash_bytes(way[-1]) == run.expected)
        return
    yield from _noted(patient, run)
    yield from written
    if run.before is not None:  # else it would follow ours whatever log it is of
        yield from _theirs(source, run)
    if len(run.numbers) == 1 and (run.task, run.numbers[0]) in refs.broken:  # else it may be right, and its commit lost
        yield from (_chained(run.before, [oid]) for oid in _last_seen(patient, source, run))


def _noted(patient: Patient, run: _Run) -> Iterator[tuple[bytes, ...]]:
    """Yields an entry that was noted with its hash when it was last seen, which proves it."""
    for state in patient.seen(run.task):
        entry = _chained(run.before, [state.commit])
        if run.numbers == (state.number,) and hash_bytes(entry[0]) == state.entry_hash:
            yield entry


def _as_written(patient: Patient, scan: Scan, run: _Run) -> Iterator[Sequence[str]]:
    """Yields the commits that the entries name, if what is damaged is a digit or two, or all but the commit."""
    own = [oid for oid, commit in scan.commits.items() if commit.task == run.task]
    named = []
    for number in run.numbers:
        try:
            data = patient.store.read(entry_key(run.task, number), limit=LIMITS.ref_bytes)
        except Mu2netError:
            return
        named.append(alike(data[_COMMIT].decode(errors="replace"), own))
    yield from product(*named)


def _theirs(source: Source, run: _Run) -> list[tuple[bytes, ...]]:
    """Returns the entries of ``source``, if they follow ours and one another."""
    previous, entries = run.before, list[bytes]()
    for number in run.numbers:
        key = entry_key(run.task, number)
        try:
            data = source.refs.store.read(key, limit=LIMITS.ref_bytes)
            if decode_strict(data, HeadEntry, what=key).previous != previous:
                return []
        except Mu2netError:
            return []
        previous = hash_bytes(data)
        entries.append(data)
    return [tuple(entries)]


def _guesses(scan: Scan, run: _Run) -> Iterator[Sequence[str]]:
    """Yields commits that the entries may have named, in their order."""
    own = [oid for oid, commit in scan.commits.items() if commit.task == run.task]
    if len(run.numbers) == 1:
        yield from ([oid] for oid in own)
        return
    yield from combinations(_between(scan, run), len(run.numbers))
    times = sorted(own, key=lambda oid: (scan.commits[oid].finished_at, oid))
    yield from combinations(times, len(run.numbers))


def _between(scan: Scan, run: _Run) -> list[str]:
    """Returns the commits from ``base`` to ``following``, both left out, oldest first, as far as they are there."""
    pending = [run.following or ""]
    seen = {*pending, run.base}
    for oid in pending:  # grows while it is walked
        commit = scan.commits.get(oid)
        fresh = [parent for parent in commit.parents if parent not in seen] if commit is not None else []
        seen.update(fresh)
        pending += fresh
    return [oid for oid in reversed(pending) if oid != run.following and oid in scan.commits]


def _chained(before: str | None, commits: Iterable[str]) -> tuple[bytes, ...]:
    entries = []
    for oid in commits:
        entries.append(encode(HeadEntry(commit=oid, previous=before)))
        before = hash_bytes(entries[-1])
    return tuple(entries)


def _last_seen(patient: Patient, source: Source, run: _Run) -> Iterator[str]:
    """Yields where the head is in ``source``, and where it was last seen, as far as that came after ``base``."""
    seen = []
    with suppress(Mu2netError):
        state = source.refs.head(run.task)
        seen += [state.commit] if state is not None else []
    for oid in dict.fromkeys([*seen, *(state.commit for state in patient.seen(run.task))]):
        if _follows(patient, source, run, oid):
            yield oid


def _follows(patient: Patient, source: Source, run: _Run, oid: str) -> bool:
    """Returns whether a commit is of the task and came after ``base``; brings its history as far as it is not there."""
    objects = patient.objects
    try:
        pending = [oid]
        while pending:
            commit_id = pending.pop()
            if not objects.has("commit", commit_id):
                patient.put("commit", commit_id, source.objects.read("commit", commit_id))
                pending.extend(objects.commit(commit_id).parents)
        commit = objects.commit(oid)
        return commit.task == run.task and (run.base is None or (oid != run.base and contains(objects, oid, run.base)))
    except AccessDeniedError:
        raise
    except Mu2netError:
        return False
