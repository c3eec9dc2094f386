"""Whether a remote is the repository it should be, where its heads are, and whether they continue what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.objects import HeadEntry, object_key
from mu2net_core.repo.core import CONFIG, HeadState, ObjectDatabase, Repository, Tombstone, Workers, entry_key, is_purge
from mu2net_core.repo.exchange.losses import find_lost_heads
from mu2net_core.repo.history import Manifests, ancestry, contains
from mu2net_core.repo.remotes import Node, RemoteRepository, Sight, Tracking, check_own, write_tracking

__all__ = [
    "Followed",
    "Found",
    "Replaced",
    "back_error",
    "behind_error",
    "check_forward",
    "check_identity",
    "gap_error",
    "lost_there",
    "newest_heads",
    "replaced_heads",
    "replaced_names",
]


_FEW = 4
"""So many entries are read one after the other; more are worth several threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A head whose log leads to it from what was seen: where it is, and the commits that it moved to on the way."""

    state: HeadState
    moves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced(Followed):
    """A head whose log is not the one that was seen any more: somebody went on where its end was lost."""


Found = Followed | Mu2netError | None
"""A head; None where there is none; what is wrong with it."""


def check_identity(repo: Repository, remote: RemoteRepository, tracking: Tracking) -> Tracking:
    """Returns what is known of a remote, with the identity in its settings, which is ours; reads these.

    Raises:
        NotFoundError: there is no repository.
        InvalidInputError: it is of a future format.
        ConflictError: it is another repository. That is noted, so that ``status`` can tell it.
    """
    tracking = replace(tracking, identity=remote.config().identity)
    if tracking.identity != repo.identity:
        write_tracking(repo.state, remote.remote.name, tracking)
    check_own(remote.remote, tracking.identity or "", repo.identity)
    return tracking


def check_forward(objects: Manifests, task: str, commits: Sequence[str]) -> str | None:
    """Returns what is wrong with the moves of a head, in words; None if the last has all the work of those before it.

    So a head can be put back to no older state, and no move of it can be left out. Only a purge begins anew: its commit
    follows nothing; but it does so once.

    Args:
        objects: where the last commit is with its history.
        task: whose head.
        commits: what it moved to, oldest first.
    """
    *earlier, newest = commits[_begin(objects, commits) :]
    missing = dict.fromkeys(oid for oid in earlier if oid != newest)
    for oid in ancestry(objects, [newest]) if missing else ():
        missing.pop(oid, None)
        if not missing:
            return None
    lost = next((oid for oid in missing if not _contains(objects, newest, oid)), None)
    if lost is None:
        return None
    return f"the log of {task} goes back: it had moved to {lost[:10]}, which is not in {newest[:10]}, where it is now"


def newest_heads(
    remote: RemoteRepository,
    tracking: Tracking,
    tasks: Iterable[str],
    numbers: Mapping[str, int],
    *,
    strict: bool = False,
) -> dict[str, Found]:
    """Returns where the heads of ``tasks`` are now; several are asked for at a time.

    Args:
        remote: whose heads.
        tracking: what was seen of it before: every entry since then must name the one before it.
        tasks: whose heads.
        numbers: of their newest entries, where a listing told; the others are probed for.
        strict: whether all entries are read of those that were not seen before.
    """
    found: dict[str, Found] = {}
    with Workers[tuple[str, Found]]() as workers:
        for task in tasks:
            workers.submit(partial(_newest, remote, task, tracking.heads.get(task), numbers.get(task), strict))
        found.update(workers.results())
    return found


def replaced_heads(remote: RemoteRepository, tracking: Tracking, sight: Sight, tasks: Iterable[str]) -> frozenset[str]:
    """Returns those of ``tasks`` whose newest entry that was seen is there, but is another one; one read each."""
    with Workers[tuple[str, bool]]() as workers:
        for task in tasks:
            seen = tracking.heads.get(task)
            if seen is not None and entry_key(task, seen.number) in sight.keys:
                workers.submit(partial(_is_there, remote, seen))
        return frozenset(task for task, is_there in workers.results() if not is_there)


def replaced_names(remote: RemoteRepository, tracking: Tracking, sight: Sight) -> frozenset[str]:
    """Returns the keys of the tags and roots that were seen and are there, but name something else; one read each."""
    with Workers[tuple[str, bool]]() as workers:
        for key, oid in tracking.names.items():
            if key in sight.keys:
                workers.submit(partial(_names, remote, key, oid))
        return frozenset(key for key, is_same in workers.results() if not is_same)


def lost_there(
    objects: ObjectDatabase,
    remote: RemoteRepository,
    tracking: Tracking,
    stones: Sequence[Tombstone],
    sight: Sight,
    taken: Set[Node] = frozenset(),
) -> tuple[str, ...]:
    """Returns what is gone of the refs that were seen of ``remote``, and of what the heads need, in words.

    Where a head's commit is gone, its entry may be there and be another one, which does not need it: that is read.

    Args:
        objects: ours: they tell what heads need.
        remote: to look at.
        tracking: what was seen of it.
        stones: tombstones that were seen there.
        sight: what is there.
        taken: what purges took that no tombstone tells of.
    """
    lost = find_lost_heads(objects, tracking, stones, sight)
    doubtful = [task for task, state in tracking.heads.items() if ("commit", state.commit) in lost.objects]
    others = replaced_heads(remote, tracking, sight, set(doubtful) - lost.entries.keys())
    if others:
        left = {task: state for task, state in tracking.heads.items() if task not in others}
        lost = find_lost_heads(objects, replace(tracking, heads=left), stones, sight)
    return replace(lost, objects=lost.objects - taken).words


def behind_error(remote: RemoteRepository, lost: Iterable[str]) -> CorruptObjectError:
    """Returns the error for a remote that lost what was seen of it."""
    name = remote.remote.name
    return CorruptObjectError(
        f"The remote {name} ({remote.remote.url}) is behind what was seen of it: {', '.join(lost)} "
        f"{'is' if len(tuple(lost)) == 1 else 'are'} gone there. What it has beyond that was fetched.",
        hint=f"mu2net push {name} sends again what this copy has. From another copy that has it: "
        f"mu2net fsck --remote {name} --repair-from FOLDER",
    )


def back_error(remote: RemoteRepository, reason: str) -> CorruptObjectError:
    """Returns the error for a log never seen before that ``check_forward`` finds fault with."""
    return CorruptObjectError(
        f"On the remote {remote.remote.name} ({remote.remote.url}), {reason}. Nothing of it was taken over.",
        hint="`mu2net push` in a copy that has that work puts it right.",
    )


def gap_error(remote: RemoteRepository, task: str, missing: int) -> CorruptObjectError:
    """Returns the error for a log whose entry ``missing`` is not there, though there are later ones."""
    return _broken(remote, task, f"has a gap: {entry_key(task, missing)} is missing, though there are later entries")


def _begin(objects: Manifests, commits: Sequence[str]) -> int:
    """Returns where the last purge among ``commits`` is that is none of the history before it; else 0."""
    for place in range(len(commits) - 1, 0, -1):
        if _is_purge(objects, commits[place]) and commits[place] not in _known(objects, commits[:place]):
            return place
    return 0


def _is_purge(objects: Manifests, oid: str) -> bool:
    try:
        return is_purge(objects.commit(oid))
    except NotFoundError:
        return False


def _known(objects: Manifests, tips: Sequence[str]) -> set[str]:
    """Returns ``tips`` and all of their history that is there: a purge may have taken it."""
    pending, seen = list(tips), set(tips)
    while pending:
        try:
            fresh = set(objects.commit(pending.pop()).parents) - seen
        except NotFoundError:
            continue
        pending.extend(fresh)
        seen |= fresh
    return seen


def _contains(objects: Manifests, whole: str, part: str) -> bool:
    """Returns whether a commit has the work of another, which is not so if that is nowhere."""
    try:
        return contains(objects, whole, part)
    except NotFoundError:
        return False


def _newest(
    remote: RemoteRepository,
    task: str,
    seen: HeadState | None,
    number: int | None,
    strict: bool,  # noqa: FBT001
) -> tuple[str, Found]:
    try:
        if number is None:
            probed = remote.refs.head(task, known=seen.number if seen else 0)
            if probed is None or probed == seen:
                return task, None if probed is None else Followed(state=probed)
            number = probed.number
        if seen is None:
            return task, _chained(remote, task, None, 1 if strict else number, number)
        return task, _followed(remote, task, seen, number)
    except (CorruptObjectError, InvalidInputError) as exc:
        return task, exc
    except NotFoundError as exc:
        return task, exc if seen is None else behind_error(remote, [f"entry {seen.number} of {task}"])


def _names(remote: RemoteRepository, key: str, oid: str) -> tuple[str, bool]:
    return key, remote.refs.read_id(key) == oid


def _is_there(remote: RemoteRepository, state: HeadState) -> tuple[str, bool]:
    try:
        return state.task, remote.refs.holds(state)
    except CorruptObjectError:
        return state.task, False  # following it says what is wrong


def _followed(remote: RemoteRepository, task: str, seen: HeadState, number: int) -> Followed:
    """Returns the entry ``number``, if the log leads to it from ``seen``; or if it is another one, but whole."""
    if number < seen.number:
        raise _broken(remote, task, f"ended at entry {seen.number} when it was last seen, and now at {number}")
    try:
        if number > seen.number:
            return _chained(remote, task, seen.entry_hash, seen.number + 1, number)
        if remote.refs.entry(task, number)[0] == seen:
            return Followed(state=seen)
    except CorruptObjectError:
        if remote.refs.entry(task, seen.number)[0] == seen:
            raise
    found = _chained(remote, task, None, 1, number)
    if not remote.store.exists(object_key("commit", found.state.commit)):
        hint = f"mu2net fsck --remote {remote.remote.name} --repair-from ."
        what = f"has another entry {number} than before, which names a commit that is not there"
        raise _broken(remote, task, what, hint=f"To put back what was seen: `{hint}`")
    return Replaced(state=found.state, moves=found.moves)


def _chained(remote: RemoteRepository, task: str, before: str | None, first: int, number: int) -> Followed:
    """Returns the entry ``number`` after reading all from ``first`` on, each of which must name the one before it.

    What the ``first`` names is ``before``; None where that was not seen.
    """
    most = remote.limits.moves
    if number - first >= most:
        hint = f"If you trust it: mu2net config set limits.moves {number}"
        raise _broken(remote, task, f"has {number - first + 1} new entries; the limit is {most}", hint=hint)
    moves = list[str]()
    for state, entry in _entries(remote, task, first, number):
        is_known = before is not None or state.number > first
        follows = entry.previous == before if is_known else (entry.previous is None) == (state.number == 1)
        if not follows:
            raise _broken(remote, task, f"is broken: entry {state.number} does not follow the one before it")
        before = state.entry_hash
        moves.append(state.commit)
    return Followed(state=state, moves=tuple(moves[:-1]))


def _entries(remote: RemoteRepository, task: str, first: int, last: int) -> Iterable[tuple[HeadState, HeadEntry]]:
    """Returns entries of a head, oldest first; many of them are read at a time, where each takes a request."""
    if last - first < _FEW or remote.store.local_path(CONFIG) is not None:
        return (remote.refs.entry(task, number) for number in range(first, last + 1))
    with Workers[tuple[HeadState, HeadEntry]]() as workers:
        for number in range(first, last + 1):
            workers.submit(partial(remote.refs.entry, task, number))
        return sorted(workers.results(), key=lambda found: found[0].number)


def _broken(remote: RemoteRepository, task: str, what: str, *, hint: str | None = None) -> CorruptObjectError:
    return CorruptObjectError(
        f"The log of {task} on the remote {remote.remote.name} ({remote.remote.url}) {what}. Nothing of {task} was "
        "taken over.",
        hint=hint
        or "Run `mu2net push` in a copy that has the log whole, which sends it again; `mu2net fsck --remote "
        f"{remote.remote.name}` says what is wrong there. `mu2net merge` takes over what else was fetched.",
    )
