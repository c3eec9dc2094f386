"""The components of a partial clone that could be brought again: how many there are, and keeping them within bounds.

A component counts as *cached* if what was last seen of a partial remote reaches it, so that it is there. All others,
above all what was never pushed, are *kept*: they are only here, for all that is known, and nothing here touches them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import partial

from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.objects import Limits, hash_bytes, object_key
from mu2net_core.repo.core import Remote, Repository, Workers
from mu2net_core.repo.remotes.remote_components import held_by_each
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.storage import Store

__all__ = ["CacheReport", "PruneReport", "RemoteShare", "inspect_cache", "prune_cache"]

_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteShare:
    """The components here that a remote has, too."""

    name: str
    num_components: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReport:
    """The components here.

    Attributes:
        num_cached: that could be brought again from a partial remote.
        cached_bytes: of these.
        num_kept: that are only here, for all that is known.
        kept_bytes: of these.
        remotes: what each partial remote has of them, as it was last seen.
    """

    num_cached: int
    cached_bytes: int
    num_kept: int
    kept_bytes: int
    remotes: tuple[RemoteShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What a bound took away.

    Attributes:
        dry_run: whether nothing was deleted.
        max_bytes: the bound.
        num_pruned: components deleted, or that would be.
        pruned_bytes: of these.
        cached_bytes: of the cached components that are left.
        num_unsure: components that stay because no remote was seen to have the same bytes.
        errors: why a remote could not be asked.
    """

    dry_run: bool
    max_bytes: int
    num_pruned: int
    pruned_bytes: int
    cached_bytes: int
    num_unsure: int
    errors: tuple[str, ...] = ()


def inspect_cache(repo: Repository) -> CacheReport:
    """Returns what of the components here is cached; asks nobody."""
    sizes = {oid: repo.store.size(object_key("component", oid)) for oid in repo.objects.ids("component")}
    shares, cached = [], set[str]()
    for remote, held in held_by_each(repo):
        found = held & sizes.keys()
        cached |= found
        size_bytes = sum(sizes[oid] for oid in found)
        shares.append(RemoteShare(name=remote.name, num_components=len(found), size_bytes=size_bytes))
    cached_bytes = sum(sizes[oid] for oid in cached)
    return CacheReport(
        num_cached=len(cached),
        cached_bytes=cached_bytes,
        num_kept=len(sizes) - len(cached),
        kept_bytes=sum(sizes.values()) - cached_bytes,
        remotes=tuple(shares),
    )


def prune_cache(
    repo: Repository, max_bytes: int, *, needed: Set[str] = frozenset(), dry_run: bool = False
) -> PruneReport:
    """Deletes cached components, the longest unused first, until at most ``max_bytes`` of them are left.

    Each is deleted only after it was seen that it is whole here, and that a partial remote has the same bytes: in a
    folder they are compared, in a bucket with the MD5 that it knows, or brought over where it says none or another.

    Args:
        repo: a working copy.
        max_bytes: the bound.
        needed: components that stay: those of running iterations.
        dry_run: only find out; asks nobody.
    """
    held = list(held_by_each(repo))
    cached = {oid for _, oids in held for oid in oids} if held else set()
    sizes = {
        oid: repo.store.size(object_key("component", oid)) for oid in repo.objects.ids("component") if oid in cached
    }
    left, pruned, unsure = sum(sizes.values()), list[str](), 0
    oldest = sorted(sizes.keys() - needed, key=lambda oid: (repo.store.modified(object_key("component", oid)), oid))
    sources = [] if dry_run else [_Source(remote, oids, repo.limits) for remote, oids in held]
    while left > max_bytes and oldest:
        batch = _enough(oldest, sizes, left - max_bytes)
        oldest = oldest[len(batch) :]
        for oid in batch if dry_run else _confirmed(repo.store, sources, batch, sizes):
            if not dry_run:
                repo.store.delete(object_key("component", oid))
            left -= sizes[oid]
            pruned.append(oid)
        unsure += len(batch)
    return PruneReport(
        dry_run=dry_run,
        max_bytes=max_bytes,
        num_pruned=len(pruned),
        pruned_bytes=sum(sizes[oid] for oid in pruned),
        cached_bytes=left,
        num_unsure=unsure - len(pruned),
        errors=tuple(source.error for source in sources if source.error is not None),
    )


class _Source:
    """A remote to ask, which is opened when it is first asked; one that does not answer has nothing."""

    def __init__(self, remote: Remote, held: Set[str], limits: Limits) -> None:
        self._remote, self._held, self._limits = remote, held, limits
        self._store: Store | None = None
        self.error: str | None = None

    def has(self, oid: str, data: bytes) -> bool:
        """Returns whether it has the bytes of a component."""
        if oid not in self._held:
            return False
        try:
            if self._store is None:
                self._store = connect(self._remote, limits=self._limits).store
            return self._store.holds(object_key("component", oid), data)
        except CorruptObjectError:
            return False  # a link is there
        except Mu2netError as exc:
            self._held, self.error = frozenset(), exc.message
            return False


def _enough(oldest: Sequence[str], sizes: dict[str, int], too_many: int) -> list[str]:
    """Returns the first of ``oldest`` that together have ``too_many`` bytes, or a batch of them."""
    batch: list[str] = []
    for oid in oldest[:_AT_ONCE]:
        if too_many <= 0:
            break
        batch.append(oid)
        too_many -= sizes[oid]
    return batch


def _confirmed(store: Store, sources: Sequence[_Source], batch: Sequence[str], sizes: dict[str, int]) -> list[str]:
    """Returns those of ``batch`` that are whole here, and that a remote has alike; several are compared at once."""

    def ask(oid: str) -> str | None:
        data = store.read(object_key("component", oid), limit=sizes[oid])
        return oid if hash_bytes(data) == oid and any(source.has(oid, data) for source in sources) else None

    with Workers[str | None]() as workers:
        for oid in batch:
            workers.submit(partial(ask, oid), size_bytes=2 * sizes[oid])
        return [oid for oid in workers.results() if oid is not None]
