"""Brings damaged and missing entries of heads back, as far as others prove what they were (``entry_chain``).

Of the newest entry nothing tells but where the head was last seen, and what others have: that must be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, groupby, product

from mu2net_core.errors import AccessDeniedError, Mu2netError, NotFoundError
from mu2net_core.objects import LIMITS, Commit, HeadEntry, hash_bytes
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.checking.check_refs import RefScan
from mu2net_core.repo.checking.patient import Patient
from mu2net_core.repo.checking.restoring import alike
from mu2net_core.repo.core import Run, Source, chained, decode_formatted, ending_in, entry_key, proven, purged_commits
from mu2net_core.repo.history import ancestry, contains

__all__ = ["restore_entries"]

_COMMIT = slice(11, 75)  # where an entry names its commit


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


def _bounded(patient: Patient, task: str, numbers: tuple[int, ...]) -> Run | None:
    """Returns what is known around ``numbers``; None if a neighbour that counts as good cannot be read."""
    first, last = numbers[0], numbers[-1]
    try:
        before = patient.refs.entry(task, first - 1)[0] if first > 1 else None
        after = None
        if patient.store.exists(entry_key(task, last + 1)):
            after = patient.refs.entry(task, last + 1)[1]
    except Mu2netError:
        return None
    return Run(
        task=task,
        numbers=numbers,
        before=before.entry_hash if before else None,
        base=before.commit if before else None,
        expected=after.previous if after else None,
        following=after.commit if after else None,
    )


def _ways(patient: Patient, source: Source, scan: Scan, refs: RefScan, run: Run) -> Iterator[tuple[bytes, ...]]:
    """Yields the entries as they may have been, the best way first."""
    purged = purged_commits([*patient.stones, *refs.tombstones.values()], run.task)
    written = (chained(run.before, commits) for commits in _as_written(patient, scan, run))
    if run.expected is not None:
        near = chain(_theirs(source, run), written)
        yield from (way for way in near if hash_bytes(way[-1]) == run.expected)
        yield from proven(_commits(patient, scan, run), run, purged)
        return
    for state in patient.seen(run.task):  # noted with its hash, which proves it
        noted = ending_in(_commits(patient, scan, run), run, state, purged)
        yield from (way for way in noted if _is_trusted(patient, run, way))
    yield from written
    if run.before is not None:  # else it would follow ours whatever log it is of
        yield from (way for way in _theirs(source, run) if _is_trusted(patient, run, way))
    if len(run.numbers) == 1 and (run.task, run.numbers[0]) in refs.broken:  # else it may be right, and its commit lost
        last = (chained(run.before, [oid]) for oid in _last_seen(patient, source, run))
        yield from (way for way in last if _is_trusted(patient, run, way))


def _is_trusted(patient: Patient, run: Run, way: Sequence[bytes]) -> bool:
    """Returns whether entries that others tell of may become some of this repository."""
    keys = (entry_key(run.task, number) for number in run.numbers)
    return all(patient.trusts(key, data) for key, data in zip(keys, way, strict=True))


def _commits(patient: Patient, scan: Scan, run: Run) -> Mapping[str, Commit]:
    """Returns the commits that entries may have named: all that are there, and those that were when it was seen."""
    near, tips = patient.near, [state.commit for state in patient.seen(run.task)]
    if near is None:
        return scan.commits
    seen = ancestry(near, [oid for oid in tips if near.has("commit", oid)])
    return {**{oid: near.commit(oid) for oid in seen}, **scan.commits}


def _as_written(patient: Patient, scan: Scan, run: Run) -> Iterator[Sequence[str]]:
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


def _theirs(source: Source, run: Run) -> list[tuple[bytes, ...]]:
    """Returns the entries of ``source``, if they follow ours and one another."""
    previous, entries = run.before, list[bytes]()
    for number in run.numbers:
        key = entry_key(run.task, number)
        try:
            data = source.refs.store.read(key, limit=LIMITS.ref_bytes)
            if decode_formatted(HeadEntry, data, what=key).previous != previous:
                return []
        except Mu2netError:
            return []
        previous = hash_bytes(data)
        entries.append(data)
    return [tuple(entries)]


def _last_seen(patient: Patient, source: Source, run: Run) -> Iterator[str]:
    """Yields where the head is in ``source``, and where it was last seen, as far as that came after ``base``."""
    seen = []
    with suppress(Mu2netError):
        state = source.refs.head(run.task)
        seen += [state.commit] if state is not None else []
    for oid in dict.fromkeys([*seen, *(state.commit for state in patient.seen(run.task))]):
        if _follows(patient, source, run, oid):
            yield oid


def _follows(patient: Patient, source: Source, run: Run, oid: str) -> bool:
    """Returns whether a commit is of the task and came after ``base``; brings its history as far as it is not there."""
    objects = patient.objects
    try:
        pending = [oid]
        while pending:
            commit_id = pending.pop()
            if not objects.has("commit", commit_id):
                patient.put("commit", commit_id, _given(source, commit_id))
                pending.extend(objects.commit(commit_id).parents)
        commit = objects.commit(oid)
        return commit.task == run.task and (run.base is None or (oid != run.base and contains(objects, oid, run.base)))
    except AccessDeniedError:
        raise
    except Mu2netError:
        return False


def _given(source: Source, commit_id: str) -> bytes:
    """Returns what the source has of a commit; what may not be seen by all who read the patient counts as not there."""
    try:
        return source.objects.read("commit", commit_id)
    except AccessDeniedError as exc:
        raise NotFoundError(exc.message) from exc
