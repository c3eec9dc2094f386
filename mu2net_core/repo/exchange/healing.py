"""Sending a remote again what it lost, as far as this working copy has it; nothing before what it needs.

Objects and names are what they were. Entries of heads are worked out anew, byte for byte, and only where what was seen
proves them: where somebody went on with the log since it was brought back, theirs stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, CorruptObjectError, Mu2netError, NotFoundError
from mu2net_core.objects import Commit, object_key
from mu2net_core.repo.core import (
    CONFIG,
    HeadState,
    Purged,
    Repository,
    Run,
    Tombstone,
    Workers,
    begin_epoch,
    current_epoch,
    ending_in,
    entry_key,
    new_epoch,
    parse_tombstone_key,
    proven,
    purged_commits,
)
from mu2net_core.repo.exchange.losses import Losses, needed, tagged
from mu2net_core.repo.exchange.repair_source import GuardedSource
from mu2net_core.repo.exchange.transfer import RANK
from mu2net_core.repo.history import ancestry
from mu2net_core.repo.remotes import (
    Counter,
    Node,
    RemoteRepository,
    Tracking,
    is_damaged,
    new_settings,
    purges_there,
    read_purged,
)

__all__ = ["Healed", "heal"]

_Log = Literal["sent", "forked", "gap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """What came of it.

    Attributes:
        sent: what is there again.
        missing: what is not, because it is not here either, or may not be seen there, or something is in its place.
        forked: tasks whose logs are not those that were seen any more, and cannot be.
    """

    sent: Losses = field(default_factory=Losses)
    missing: Losses = field(default_factory=Losses)
    forked: frozenset[str] = frozenset()


def heal(repo: Repository, remote: RemoteRepository, tracking: Tracking, losses: Losses, *, counter: Counter) -> Healed:
    """Creates ``losses`` on ``remote`` again, as far as they are here; returns what came of it.

    Args:
        repo: where from.
        remote: where to.
        tracking: what was seen there.
        losses: what is not there any more.
        counter: of objects.

    Raises:
        AccessDeniedError: permissions forbid it.
        CorruptObjectError: the settings have other bytes over there; an object or a name like that stays missing.
    """
    guard = GuardedSource(repo, repo, remote.audience)
    losses = replace(losses, stones=tuple(stone for stone in losses.stones if guard.may_tell_of(stone)))
    _bury_again(remote, losses.stones)
    if losses.stones or (losses.epoch and current_epoch(remote.store) is not None):
        new_epoch(remote.store)  # whoever knows the one that is there never saw the tombstones; or it is damaged
    elif losses.epoch:
        begin_epoch(remote.store)
    purged = purges_there(repo, remote.remote)
    missing = {node for node in losses.objects if purged.forbids(node) is not None}
    missing |= _send_objects(guard, remote, losses.objects - missing, counter)
    healing = _Healing(
        repo=repo, remote=remote, tracking=tracking, missing=frozenset(missing), purged=purged, guard=guard
    )
    roots = tuple(name for name in losses.roots if healing.root(name))
    tags = tuple(name for name in losses.tags if healing.tag(name))
    logs = {task: healing.log(task, numbers) for task, numbers in losses.entries.items()}
    if losses.config:
        healing.config()
    sent = {task: numbers for task, numbers in losses.entries.items() if logs[task] == "sent"}
    unsent = {task: numbers for task, numbers in losses.entries.items() if logs[task] == "gap"}
    return Healed(
        sent=replace(losses, entries=sent, roots=roots, tags=tags, objects=losses.objects - missing),
        missing=Losses(
            entries=unsent,
            roots=tuple(name for name in losses.roots if name not in roots),
            tags=tuple(name for name in losses.tags if name not in tags),
            objects=healing.missing,
        ),
        forked=frozenset({task for task, found in logs.items() if found == "forked"} | healing.replaced(losses)),
    )


def _bury_again(remote: RemoteRepository, stones: Sequence[Tombstone]) -> None:
    """Makes tombstones again; damaged ones of their tasks give way."""
    tasks = {stone.task for stone in stones}
    for key in tuple(remote.store.list("refs/purged")) if tasks else ():
        place = parse_tombstone_key(key)
        if place is not None and place[0] in tasks and is_damaged(remote.store, key):
            remote.store.delete(key)
    for stone in stones:
        remote.refs.create_tombstone(stone)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Healing:
    """Puts names and logs back, where all that they need is there.

    Attributes:
        repo: where from.
        remote: where to.
        tracking: what was seen there.
        missing: objects that could not be sent.
        purged: what was purged there.
        guard: gives of what is here what may be seen there.
    """

    repo: Repository
    remote: RemoteRepository
    tracking: Tracking
    missing: frozenset[Node]
    purged: Purged
    guard: GuardedSource

    def config(self) -> None:
        """Writes the settings again, as those that a push makes a repository with."""
        _create(self.remote, CONFIG, new_settings(self.remote.remote, self.repo.config))

    def replaced(self, losses: Losses) -> set[str]:
        """Returns the tasks whose newest entry seems to be there, but is another one: its commit was gone."""
        lost = {oid for kind, oid in losses.objects if kind == "commit"}
        heads = [state for task, state in self.tracking.heads.items() if task not in losses.entries]
        return {state.task for state in heads if state.commit in lost and not self.remote.refs.holds(state)}

    def root(self, name: str) -> bool:
        """Returns whether a root is there again."""
        return self._name(f"refs/roots/{name}", ("model", self.tracking.roots[name]))

    def tag(self, name: str) -> bool:
        """Returns whether a tag is there again."""
        return self._name(f"refs/tags/{name}", ("snapshot", self.tracking.tags[name]))

    def log(self, task: str, numbers: tuple[int, ...]) -> _Log:
        """Returns whether lost entries of a head are there again, or whether that is another log now, or has a gap."""
        state = self.tracking.heads.get(task)
        if state is None or not self._is_whole(("commit", state.commit)):
            return "gap"
        found = _restore(self.repo, self.remote, state, tuple(n for n in numbers if n <= state.number))
        return "gap" if found == "sent" and numbers[-1] > state.number else found

    def _name(self, key: str, node: Node) -> bool:
        return self._is_whole(node) and _is_created(self.remote, key, f"{node[1]}\n".encode())

    def _is_whole(self, tip: Node) -> bool:
        """Returns whether all is there that ``tip`` needs, and it may be seen there by what is known now."""
        objects = self.repo.objects
        if not objects.has(*tip) or _read(self.guard, tip) is None:
            return False
        tips = [tip, *(("commit", oid) for oid in (tagged(objects, tip[1]).values() if tip[0] == "snapshot" else ()))]
        return not self.missing or not (self.missing & needed(objects, tips, self.purged))


def _send_objects(guard: GuardedSource, remote: RemoteRepository, nodes: Iterable[Node], counter: Counter) -> set[Node]:
    """Creates objects; returns those that could not be: they are nowhere, may not be seen there, or have no place."""
    missing = set[Node]()
    for rank in (0, 1, 2):
        with Workers[tuple[Node, int | None]]() as workers:
            for node in sorted(nodes):
                if RANK[node[0]] == rank:
                    workers.submit(partial(_send, guard, remote, node))
            for node, size_bytes in workers.results():
                if size_bytes is None:
                    missing.add(node)
                else:
                    counter.add("what was lost there", size_bytes)
    return missing


def _send(guard: GuardedSource, remote: RemoteRepository, node: Node) -> tuple[Node, int | None]:
    """Creates an object; no size if it cannot be read here, or made there."""
    data = _read(guard, node)
    if data is None or not _is_created(remote, object_key(*node), data):
        return node, None
    return node, len(data)


def _read(guard: GuardedSource, node: Node) -> bytes | None:
    try:
        return guard.read(*node)
    except (AccessDeniedError, CorruptObjectError, NotFoundError):
        return None


def _put(remote: RemoteRepository, key: str, data: bytes) -> None:
    """Creates a file; one of which nothing is left gives way."""
    if is_damaged(remote.store, key):
        remote.store.delete(key)
    remote.store.create(key, data)


def _is_created(remote: RemoteRepository, key: str, data: bytes) -> bool:
    """Returns whether a file is there again; not if something else took its place, which blocks what needs it alone."""
    try:
        _put(remote, key, data)
    except AlreadyExistsError:
        return False
    return True


def _create(remote: RemoteRepository, key: str, data: bytes) -> None:
    try:
        _put(remote, key, data)
    except AlreadyExistsError as exc:
        raise CorruptObjectError(
            f"{key} on the remote {remote.remote.name} ({remote.store.url}) was gone, and now has another content than "
            f"it had. Nothing was moved. {exc.message}",
            hint=f"See what else is wrong there: mu2net fsck --remote {remote.remote.name}",
        ) from exc


def _restore(repo: Repository, remote: RemoteRepository, state: HeadState, numbers: tuple[int, ...]) -> _Log:
    """Creates lost entries of a log again, oldest first; returns whether it is the one that was seen again.

    It is ``forked`` if it only got shorter and goes on another way, and has a ``gap`` if nothing proves what was in it.
    """
    objects, purged = repo.objects, _taken(repo, remote, state.task)
    commits = {oid: objects.commit(oid) for oid in ancestry(objects, [state.commit])}
    while numbers:
        run = _first_run(remote, state, numbers)
        ways = iter(()) if run is None else _ways(commits, run, state, purged)
        entries = next(ways, None)
        try:
            for number, data in zip(run.numbers if run else (), entries or (), strict=True):
                _put(remote, entry_key(state.task, number), data)
        except (AlreadyExistsError, ValueError):
            entries = None
        if entries is None:
            is_end = numbers == tuple(range(numbers[0], state.number + 1))
            is_end = is_end and not remote.store.exists(entry_key(state.task, state.number + 1))
            return "forked" if is_end else "gap"
        numbers = numbers[len(entries) :]
    return "sent"


def _taken(repo: Repository, remote: RemoteRepository, task: str) -> tuple[str, ...]:
    """Returns the commits of a task that a purge took, in the order of its log here: entries went on naming them."""
    taken = purged_commits(read_purged(repo.state, remote.remote), task)
    if not taken:
        return ()
    numbers = range(1, repo.refs.numbers().get(task, 0) + 1)
    return tuple(dict.fromkeys([*(repo.refs.entry(task, number)[0].commit for number in numbers), *taken]))


def _ways(
    commits: Mapping[str, Commit], run: Run, state: HeadState, purged: Sequence[str]
) -> Iterator[tuple[bytes, ...]]:
    if run.numbers[-1] == state.number:
        return ending_in(commits, run, state, purged)
    return proven(commits, run, purged)


def _first_run(remote: RemoteRepository, state: HeadState, numbers: tuple[int, ...]) -> Run | None:
    """Returns what is known around the first of lost entries; None if a neighbour cannot be read."""
    last = numbers[0]
    while last + 1 in numbers:
        last += 1
    try:
        before = remote.refs.entry(state.task, numbers[0] - 1)[0] if numbers[0] > 1 else None
        after = remote.refs.entry(state.task, last + 1)[1] if last < state.number else None
    except Mu2netError:
        return None
    return Run(
        task=state.task,
        numbers=tuple(range(numbers[0], last + 1)),
        before=before.entry_hash if before else None,
        base=before.commit if before else None,
        expected=after.previous if after else None,
        following=after.commit if after else None,
    )
