"""Collecting garbage: what no ref and no running work reaches, and nobody wrote for a while, is deleted.

Whatever cannot be read stops it before anything is deleted. What is found is looked at again right before: refs may
have moved, and a push that relies on an old object writes it anew first, which keeps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from mu2net_core.errors import AccessDeniedError, NotFoundError
from mu2net_core.objects import object_key
from mu2net_core.repo.core import Workers, dead_reports, new_epoch
from mu2net_core.repo.leases import dead_leases, remove_leases
from mu2net_core.repo.remotes import Node
from mu2net_core.repo.upkeep.dropped import GRACE, Aside, aside_tips, asides
from mu2net_core.repo.upkeep.place import Place
from mu2net_core.repo.upkeep.reachable import Tips, reach, ref_tips
from mu2net_core.repo.upkeep.sweep import check_own, delete_unless_newer, leftovers, put_back, time_there
from mu2net_core.storage import translated

__all__ = ["GcReport", "Waiting", "collect"]

_BATCH = 1_000

Watch = Callable[[str, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What stays only because a task was set aside when a purge by others was followed.

    Attributes:
        task: its name.
        num_objects: that nothing else keeps.
        until: when they are old enough to be deleted, UTC, ISO 8601, by the clock of the storage.
    """

    task: str
    num_objects: int
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What garbage there was.

    Attributes:
        url: of the repository.
        dry_run: whether nothing was deleted.
        grace_s: seconds that what nobody reaches stays.
        num_reachable: objects that must stay.
        num_young: objects nobody reaches, and not old enough.
        num_objects: objects deleted, or that would be.
        size_bytes: of these.
        kinds: how many of each kind.
        num_leftovers: unfinished files, damaged copies, leases on what is over, and reports beside commits that are
            gone, deleted, or that would be.
        set_aside: what stays for a while, and can be brought back until then.
    """

    url: str
    dry_run: bool
    grace_s: float
    num_reachable: int
    num_young: int
    num_objects: int
    size_bytes: int
    kinds: Mapping[str, int] = field(default_factory=dict)
    num_leftovers: int = 0
    set_aside: tuple[Waiting, ...] = ()


def collect(
    place: Place,
    *,
    grace: timedelta = GRACE,
    dry_run: bool = True,
    also: Callable[[], Tips] = Tips,
    watch: Watch = lambda _what, _done: None,
    settle: Callable[[], None] = lambda: None,
) -> GcReport:
    """Deletes what nobody reaches and nobody wrote for ``grace``; returns what that was.

    What a purge left behind that died, others may still take to be here: an epoch begins first, and makes them look.

    Args:
        place: the repository.
        grace: how long such objects stay.
        dry_run: only find out.
        also: returns what must stay besides what refs reach; asked again before anything is deleted.
        watch: told what is being done, and how many objects were seen.
        settle: waits until pushes that began before are over; called only if a purge left something behind.

    Raises:
        CorruptObjectError: a ref or a manifest cannot be read, or is behind a link, so what must stay is unknown;
            nothing was deleted.
        AccessDeniedError: permissions forbid it; what was deleted until then nobody needed.
    """
    check_own(place.store)
    if not dry_run:
        put_back(place.store)
    limit = time_there(place.store) - grace
    watch("listing", 0)
    there = place.nodes()

    def kept() -> Tips:
        return also() | aside_tips(place.store, since=limit)

    tips, reached = _needed(place, kept, watch)
    unreached = [node for node in there if node not in reached]
    watch("looking at ages", len(unreached))
    old = _old(place, unreached, limit)
    stale, over = list(leftovers(place.store, limit)), list(dead_leases(place.store, place.refs))
    alive = {oid for kind, oid in there if kind == "commit" and (kind, oid) not in old}
    stray = [key for key in dead_reports(place.store, alive.__contains__) if place.store.modified(key) < limit]
    purged = place.purged()
    waiting = tuple(_waiting(place, also, set(there), limit=limit, grace=grace))
    if not dry_run and any(purged.lists(node) for node in old):
        new_epoch(place.store)
        settle()
    if not dry_run:
        _forget(place, limit)
    gone = old if dry_run else dict(_sweep(place, list(old), limit, kept, tips, watch))
    if not dry_run:
        _tidy(stale)
        remove_leases(place.store, over)
        for key in stray:
            place.store.delete(key)
    return GcReport(
        url=place.store.url,
        dry_run=dry_run,
        grace_s=grace.total_seconds(),
        num_reachable=len(there) - len(unreached),
        num_young=len(unreached) - len(old),
        num_objects=len(gone),
        size_bytes=sum(gone.values()),
        kinds=dict(sorted(Counter(kind for kind, _ in gone).items())),
        num_leftovers=len(stale) + len(over) + len(stray),
        set_aside=waiting,
    )


def _waiting(
    place: Place, also: Callable[[], Tips], there: set[Node], *, limit: datetime, grace: timedelta
) -> Iterator[Waiting]:
    """Yields what each task that is set aside keeps, and nothing else does."""
    kept = [one for one in asides(place.store) if not _is_over(place, one, limit)]
    purged = place.purged()
    alive = reach(place, ref_tips(place, purged) | also(), purged) if kept else set[Node]()
    for one in kept:
        only = reach(place, Tips(faded={one.tip}), purged) & there
        until = place.store.modified(one.key) + grace
        yield Waiting(task=one.task, num_objects=len(only - alive), until=until.isoformat())


def _is_over(place: Place, aside: Aside, limit: datetime) -> bool:
    return place.store.modified(aside.key) < limit


def _tidy(stale: Iterable[Path]) -> None:
    """Deletes what killed programs left."""
    for file in stale:
        with translated("delete", file):
            file.unlink(missing_ok=True)


def _forget(place: Place, limit: datetime) -> None:
    """Deletes notes of what was set aside and goes now: nobody brings back what is half gone."""
    for one in list(asides(place.store)):
        if _is_over(place, one, limit):
            place.store.delete(one.key)


def _needed(place: Place, also: Callable[[], Tips], watch: Watch) -> tuple[Tips, set[Node]]:
    """Returns where reaching begins, and what it reaches."""
    purged = place.purged()
    tips = ref_tips(place, purged) | also()
    seen = 0

    def visit(_node: Node, _value: object) -> None:
        nonlocal seen
        seen += 1
        if seen % 500 == 0:
            watch("following references", seen)

    return tips, reach(place, tips, purged, visit=visit)


def _old(place: Place, nodes: Sequence[Node], limit: datetime) -> dict[Node, int]:
    """Returns the size of those that were last written before ``limit``."""

    def look(node: Node) -> tuple[Node, int | None]:
        key = object_key(*node)
        try:
            return node, place.store.size(key) if place.store.modified(key) < limit else None
        except NotFoundError:
            return node, None

    return {node: size for node, size in _each(place, look, nodes) if size is not None}


def _sweep(
    place: Place, nodes: Sequence[Node], limit: datetime, also: Callable[[], Tips], tips: Tips, watch: Watch
) -> Iterator[tuple[Node, int]]:
    """Deletes ``nodes`` batch by batch, each after another look at the refs; yields what is gone, with its size."""
    waiting, reached, done = iter(nodes), set[Node](), 0
    while batch := list(islice(waiting, _BATCH)):
        purged = place.purged()
        newer = ref_tips(place, purged) | also()
        if newer != tips:
            tips, reached = newer, reach(place, newer, purged)

        def delete(node: Node) -> tuple[Node, int | None]:
            return node, delete_unless_newer(place.store, object_key(*node), limit)

        try:
            for node, size in _each(place, delete, [node for node in batch if node not in reached]):
                if size is not None:
                    yield node, size
        except AccessDeniedError as exc:
            raise AccessDeniedError(
                f"Cannot collect garbage in {place.store.url}: deleting is not allowed. {exc.message}",
                hint="Nothing is broken, and everything else works. Run it with credentials that may delete, or leave "
                "it to the storage's own rules for old objects, never younger than the newest push.",
            ) from exc
        done += len(batch)
        watch("deleting", done)


def _each(
    place: Place, do: Callable[[Node], tuple[Node, int | None]], nodes: Iterable[Node]
) -> Iterator[tuple[Node, int | None]]:
    """Yields what ``do`` returns for each of ``nodes``; elsewhere, several at once."""
    if place.is_local:
        yield from map(do, nodes)
        return
    with Workers[tuple[Node, int | None]]() as workers:
        for node in nodes:
            workers.submit(partial(do, node))
        yield from workers.results()
