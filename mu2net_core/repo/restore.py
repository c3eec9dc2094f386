"""Brings damaged and missing objects and head entries back from another repository, and from what is still known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import LIMITS, HeadEntry, Kind, decode_strict, encode, hash_bytes
from mu2net_core.repo.check_objects import Scan
from mu2net_core.repo.findings import Source
from mu2net_core.repo.merge import contains
from mu2net_core.repo.refs import entry_key
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import read_tracking

__all__ = ["restore_entry", "restore_objects"]


def restore_objects(repo: Repository, source: Source, wanted: Iterable[tuple[Kind, str]]) -> list[str]:
    """Fetches what ``source`` has of ``wanted``; returns what was restored."""
    restored = []
    for kind, oid in sorted(wanted):
        try:
            repo.objects.put_bytes(kind, source.objects.read(kind, oid))
        except Mu2netError:
            continue  # the source has no good copy either: the problem stays in the report
        restored.append(f"{kind}/{oid}")
    return restored


def restore_entry(repo: Repository, source: Source, scan: Scan, task: str, number: int, *, rebuild: bool) -> bool:
    """Puts an entry of a head in place that fits between its neighbours; returns whether there was one.

    Args:
        repo: whose entry.
        source: whose entry of the same number is tried first.
        scan: the objects of ``repo``.
        task: the head's task.
        number: the entry's.
        rebuild: whether to make it again from a commit, too. An entry is nothing but that and the hash of the one
            before: in the middle of a log the next entry proves which commit it was. The newest moves to where
            ``source`` or a remote was last seen to be, if that came after the entry before.
    """
    key = entry_key(task, number)
    try:
        before, base = None, None
        if number > 1:
            state, _ = repo.refs.entry(task, number - 1)
            before, base = state.entry_hash, state.commit
        expected = _expected(repo, task, number)
        found = _made(repo, source, scan, (task, base, before), newest=expected is None) if rebuild else iter(())
        for data in (*_theirs(source, key, before), *found):
            if expected is None or hash_bytes(data) == expected:
                if repo.store.exists(key) and repo.store.read(key) == data:
                    return False
                repo.set_aside(key)
                return repo.store.create(key, data)
    except Mu2netError:
        pass  # its neighbour is damaged too, or nothing can be written: the problem stays in the report
    return False


def _expected(repo: Repository, task: str, number: int) -> str | None:
    """Returns the hash the next entry says this one has; None if this is the newest."""
    if not repo.store.exists(entry_key(task, number + 1)):
        return None
    return repo.refs.entry(task, number + 1)[1].previous


def _theirs(source: Source, key: str, before: str | None) -> Iterator[bytes]:
    try:
        data = source.refs.store.read(key, limit=LIMITS.ref_bytes)
        if decode_strict(data, HeadEntry, what=key).previous == before:
            yield data
    except Mu2netError:
        return


def _made(
    repo: Repository, source: Source, scan: Scan, after: tuple[str, str | None, str | None], *, newest: bool
) -> Iterator[bytes]:
    """Yields entries made of commits that it may have named."""
    task, base, before = after
    if not newest:
        commits = [oid for oid, commit in scan.commits.items() if commit.task == task]
    else:
        commits = [oid for oid in _last_seen(repo, source, task) if _follows(repo, source, task, base, oid)]
    for oid in commits:
        yield encode(HeadEntry(commit=oid, previous=before))


def _last_seen(repo: Repository, source: Source, task: str) -> Iterator[str]:
    """Yields where the head is in ``source``, and where it was last seen on any remote."""
    try:
        state = source.refs.head(task)
        if state is not None:
            yield state.commit
    except Mu2netError:
        pass
    for remote in repo.config.remotes.values():
        tracked = read_tracking(repo.state, remote).heads.get(task)
        if tracked is not None:
            yield tracked.commit


def _follows(repo: Repository, source: Source, task: str, base: str | None, oid: str) -> bool:
    """Returns whether a commit is of the task and came after ``base``; brings its history as far as it is not here."""
    try:
        pending = [oid]
        while pending:
            commit_id = pending.pop()
            if not repo.objects.has("commit", commit_id):
                repo.objects.put_bytes("commit", source.objects.read("commit", commit_id))
                pending.extend(repo.objects.commit(commit_id).parents)
        commit = repo.objects.commit(oid)
        return commit.task == task and (base is None or (oid != base and contains(repo.objects, oid, base)))
    except Mu2netError:
        return False
