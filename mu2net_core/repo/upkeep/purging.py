"""Purging a task: its history and what only it reached are deleted, and cannot come back unknowingly.

In this order, so that a repository is whole wherever the program dies, and running it again goes on: tombstones say
what may be missing; the head moves to a purge commit; a new epoch makes every pusher look; pushes that looked before
are waited for; what others reach is found out once more; the rest is deleted, unless some of it came meanwhile: then
tombstones say so, and an epoch begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace
from functools import partial

from mu2net_core.errors import AccessDeniedError, ConflictError, NotFoundError
from mu2net_core.objects import Agent, Commit, object_key
from mu2net_core.repo.core import Purged, Tombstone, Workers, delete_reports, new_epoch, redacted_task
from mu2net_core.repo.history import forget_history
from mu2net_core.repo.leases import delete_leases
from mu2net_core.repo.remotes import Node
from mu2net_core.repo.upkeep.place import Place
from mu2net_core.repo.upkeep.purge_survey import Survey, survey
from mu2net_core.repo.upkeep.reachable import Tips

__all__ = ["SETTLE_S", "PurgeReport", "bury", "follow", "store_purge_commit"]

SETTLE_S = 60.0
"""How long to wait for pushes under way: they look at the epoch again before half of that is over."""

_PER_TOMBSTONE = 700  # a tombstone must not be larger than other refs may be
_ATTEMPTS = 20
_OID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeReport:
    """What a purge took away, or would.

    Attributes:
        task: its name.
        url: of the repository.
        commit: where the head is now; the purge commit unless nothing was done.
        num_objects: deleted.
        size_bytes: of these.
        holders: other tasks whose models still hold knowledge of it: these keep the components, and the manifests
            they descend from, which name the data set.
        tags: that name the system with it, and so can be sent nowhere any more.
    """

    task: str
    url: str
    commit: str
    num_objects: int
    size_bytes: int
    holders: tuple[str, ...]
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, place: Place, found: Survey) -> PurgeReport:
        """Returns the report of a purge that takes away what ``found`` says is doomed, and is still there."""
        return cls(
            task=found.task,
            url=place.store.url,
            commit=found.head.commit,
            num_objects=len(found.doomed),
            size_bytes=_size(place, found.doomed),
            holders=found.holders,
            tags=_tags(place, found) if place.is_local else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Burial:
    """One purge: what, where, and how. The attributes are the arguments of ``bury``."""

    place: Place
    task: str
    store_commit: Callable[[Survey], str]
    now: str
    also: Callable[[], Tips] = Tips
    inherited: tuple[Tombstone, ...] = ()
    settle: Callable[[], None] = lambda: None
    sign: Callable[[Tombstone], Tombstone] = lambda stone: stone

    def look(self, doomed: Set[Node] = frozenset[Node]()) -> Survey:
        """Returns how the task stands, ``doomed`` if something of it was found to go before."""
        return survey(self.place, self.task, also=self.also(), doomed=doomed)

    def move_head(self, found: Survey) -> None:
        """Marks what will go, then moves the head to the purge commit; again if somebody else moved it meanwhile."""
        for _ in range(_ATTEMPTS):
            for stone in self.inherited:
                self._bequeath(stone, found)
            self.mark(found, found.roots)
            try:
                self.place.refs.append(self.task, self.store_commit(found), after=found.head)
            except ConflictError:
                found = self.look()
                if found.is_moved:
                    return
            else:
                return
        where = self.place.store.url
        raise ConflictError(f"The head of {self.task} in {where} kept moving: {_ATTEMPTS} attempts failed.")

    def settled(self, found: Survey, roots: Set[str]) -> Survey:
        """Returns what goes: all of it was marked before the epoch began, so whoever knows the epoch knows of that.

        Pushes under way may bring more, or move the head on. What is found of that is marked, too, the head moves to
        another purge commit, and they are told and waited for once more.
        """
        doomed = found.doomed
        for _ in range(_ATTEMPTS):
            new_epoch(self.place.store)
            self.settle()
            found = self.look(doomed)
            doomed |= found.doomed
            if not found.is_moved:
                replace(self, inherited=()).move_head(found)
            elif not self.mark(found, roots | found.roots):
                return found
        raise ConflictError(
            f"The task {self.task} is marked as purged in {self.place.store.url}, but more of it kept being sent "
            f"there: gave up after {_ATTEMPTS} attempts.",
            hint="Run the same command again once nobody pushes: it goes on from here.",
        )

    def mark(self, found: Survey, roots: Set[str]) -> bool:
        """Lists in tombstones what is doomed and in none yet; returns whether there was any.

        Those that others signed, or nobody, do not count: not everybody believes them.
        """
        stones = self.place.refs.tombstones([self.task])[0].get(self.task, ())
        purged = Purged(stone for stone in stones if self._is_ours(stone))
        through = found.head.number - 1 if found.is_moved else found.head.number
        fresh = sorted(f"{kind}/{oid}" for kind, oid in found.doomed if not purged.is_listed((kind, oid), self.task))
        known = purged.covers_entry(self.task, through)
        begins = range(0, max(len(fresh), 0 if known else 1), _PER_TOMBSTONE)
        for begin in begins:
            stone = Tombstone(
                task=self.task,
                through=through,
                roots=tuple(sorted(roots)),
                objects=tuple(fresh[begin : begin + _PER_TOMBSTONE]),
                purged_at=self.now,
                identity=self.place.identity,
                access=found.access,
            )
            self.place.refs.create_tombstone(self.sign(stone))
        return bool(begins)

    def _is_ours(self, stone: Tombstone) -> bool:
        """Returns whether a tombstone is one that this purge could have made: a signature has one value only."""
        return stone.identity == self.place.identity and self.sign(replace(stone, signature=None)) == stone

    def _bequeath(self, stone: Tombstone, found: Survey) -> None:
        """Makes a tombstone of elsewhere our own: with who may read what the task taught as it is known here."""
        ours = replace(stone, through=found.head.number, access=found.access, identity=self.place.identity)
        self.place.refs.create_tombstone(self.sign(replace(ours, signature=None)))


def bury(
    place: Place,
    task: str,
    store_commit: Callable[[Survey], str],
    *,
    now: str,
    also: Callable[[], Tips] = Tips,
    settle: Callable[[], None] = lambda: None,
    sign: Callable[[Tombstone], Tombstone] = lambda stone: stone,
) -> PurgeReport:
    """Purges a task; of one whose purge was interrupted, the rest.

    Args:
        place: the repository.
        task: one with a head, removed or not.
        store_commit: stores the purge commit, and its task object, and returns its id.
        now: for the tombstones, as commits store it.
        also: returns what else must stay; asked again before anything is deleted.
        settle: waits until pushes that began before are over.
        sign: returns a tombstone with a signature, if those made here have one.

    Raises:
        NotFoundError: there is no such task.
        ConflictError: its head kept moving, or more of it kept being sent; running it again goes on.
        CorruptObjectError: what others need cannot be found out; nothing was deleted.
        AccessDeniedError: permissions forbid it; what was marked stays marked.
    """
    burial = _Burial(place=place, task=task, store_commit=store_commit, now=now, also=also, settle=settle, sign=sign)
    found = burial.look()
    if not found.is_moved:
        burial.move_head(found)
    try:
        found = burial.settled(found, found.roots)
        report = PurgeReport.of(place, found)
        forget_history(place.store)
        _delete(place, found.doomed)
        delete_leases(place.store, task)
        delete_reports(place.store, task)
        place.objects.forget()
    except AccessDeniedError as exc:
        raise AccessDeniedError(
            f"The task {task} is marked as purged in {place.store.url}, and nobody will push it there again, but its "
            f"bytes could not be deleted. {exc.message}",
            hint="Run the same command with credentials that may delete: it goes on from here.",
        ) from exc
    return report


def follow(
    place: Place,
    task: str,
    stones: Iterable[Tombstone],
    purge: str,
    *,
    now: str,
    also: Callable[[], Tips],
    sign: Callable[[Tombstone], Tombstone] = lambda stone: stone,
) -> None:
    """Drops a task here as it was purged elsewhere: its head moves to the same purge commit, which is here already.

    Nothing is deleted: what only the task reached is garbage from now on, unless somebody keeps it.

    Args:
        place: the repository here.
        task: one with a head here.
        stones: the tombstones of the task elsewhere, as far as they are believed.
        purge: id of the purge commit.
        now: for further tombstones.
        also: returns what else must stay.
        sign: returns a tombstone with a signature, if those made here have one.
    """
    burial = _Burial(
        place=place, task=task, store_commit=lambda _: purge, now=now, also=also, inherited=(*stones,), sign=sign
    )
    found = burial.look()
    if not found.is_moved:
        burial.move_head(found)
    delete_reports(place.store, task)
    burial.settled(found, found.roots | {oid for stone in burial.inherited for oid in stone.roots})
    forget_history(place.store)
    place.objects.forget()


def store_purge_commit(
    place: Place, found: Survey, *, agent: Agent, now: str, sign: Callable[[Commit], Commit] = lambda commit: commit
) -> str:
    """Stores a commit that removes a task and tells nothing of it but its name and its rule; returns its id."""
    own = place.objects
    commit = Commit(
        task=found.task,
        task_id=own.put(redacted_task(found.task, found.access)),
        iteration=found.commit.iteration,
        agent=agent,
        started_at=now,
        finished_at=now,
        message=f"purged, up to entry {found.head.number}",  # so that no two purges of a task are the same commit
        removed=True,
        identity=place.identity,
    )
    return own.put(sign(commit))


def _tags(place: Place, found: Survey) -> tuple[str, ...]:
    """Returns the tags that name a state of the task which goes."""
    named = {name: place.objects.snapshot(oid).heads.get(found.task) for name, oid in place.refs.tags().items()}
    return tuple(sorted(name for name, commit in named.items() if commit and ("commit", commit) in found.doomed))


def _size(place: Place, nodes: Set[Node]) -> int:
    """Returns how many bytes objects have; one that is gone meanwhile has none."""

    def size(node: Node) -> int:
        try:
            return place.store.size(object_key(*node))
        except NotFoundError:
            return 0

    if place.is_local:
        return sum(map(size, nodes))
    with Workers[int]() as workers:
        for node in sorted(nodes):
            workers.submit(partial(size, node))
        return sum(workers.results())


def _delete(place: Place, nodes: Set[Node]) -> None:
    """Deletes objects, and damaged copies of them that were set aside."""
    keys = [object_key(*node) for node in sorted(nodes)]
    ids = {oid for _, oid in nodes}
    for key in place.store.list("state/corrupt"):
        match = _OID.search(key.rpartition("/")[2].replace("-", ""))
        if match is not None and match[0] in ids:
            keys.append(key)
    with Workers[None](num_threads=1 if place.is_local else 8) as workers:
        for key in keys:
            workers.submit(partial(place.store.delete, key))
        for _ in workers.results():
            pass
