"""Head entries worked out anew. An entry is nothing but a commit and the hash of the one before it.

So a later entry, or the note of one that was seen, proves hash by hash which commits those before it named: whatever is
tried, a wrong guess is never taken over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice, permutations

from mu2net_core.objects import Commit, HeadEntry, encode, hash_bytes
from mu2net_core.repo.core.refs import HeadState

__all__ = ["Run", "chained", "ending_in", "proven"]

_GUESSES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
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


def chained(before: str | None, commits: Iterable[str]) -> tuple[bytes, ...]:
    """Returns the entries that name ``commits``, of which the first follows the entry with the hash ``before``."""
    entries = []
    for oid in commits:
        entries.append(encode(HeadEntry(commit=oid, previous=before)))
        before = hash_bytes(entries[-1])
    return tuple(entries)


def proven(commits: Mapping[str, Commit], run: Run, purged: Sequence[str] = ()) -> Iterator[tuple[bytes, ...]]:
    """Yields what the entries of ``run`` were, where the entry after them proves it.

    Args:
        commits: all known ones.
        run: the entries.
        purged: ids of those of the task that a purge took, in their order as far as that is known.
    """
    guesses = islice(_guesses(commits, run, purged), max(1, _GUESSES // len(run.numbers)))
    ways = (chained(run.before, guess) for guess in guesses)
    yield from (way for way in ways if hash_bytes(way[-1]) == run.expected)


def ending_in(
    commits: Mapping[str, Commit], run: Run, state: HeadState, purged: Sequence[str] = ()
) -> Iterator[tuple[bytes, ...]]:
    """Yields what the entries of ``run`` were, if the last is the one seen as ``state``; the others as above."""
    if run.numbers[-1] != state.number:
        return
    rest = run.numbers[:-1]
    guesses: Iterator[Sequence[str]] = iter([()])
    if rest:
        earlier = replace(run, numbers=rest, following=state.commit)
        guesses = islice(_guesses(commits, earlier, purged), max(1, _GUESSES // len(rest)))
    ways = (chained(run.before, [*guess, state.commit]) for guess in guesses)
    yield from (way for way in ways if hash_bytes(way[-1]) == state.entry_hash)


def _guesses(commits: Mapping[str, Commit], run: Run, purged: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yields commits that the entries may have named, in their order."""
    number = len(run.numbers)
    yield from chain(combinations(purged, number), permutations(purged, number) if number > 1 else ())
    own = [oid for oid, commit in commits.items() if commit.task == run.task]
    if len(run.numbers) == 1:
        yield from ([oid] for oid in own)
        return
    yield from combinations(_between(commits, run), len(run.numbers))
    times = sorted(own, key=lambda oid: (commits[oid].finished_at, oid))
    yield from combinations(times, len(run.numbers))


def _between(commits: Mapping[str, Commit], run: Run) -> list[str]:
    """Returns the commits from ``base`` to ``following``, both left out, oldest first, as far as they are there."""
    pending = [run.following or ""]
    seen = {*pending, run.base}
    for oid in pending:  # grows while it is walked
        commit = commits.get(oid)
        fresh = [parent for parent in commit.parents if parent not in seen] if commit is not None else []
        seen.update(fresh)
        pending += fresh
    return [oid for oid in reversed(pending) if oid != run.following and oid in commits]
