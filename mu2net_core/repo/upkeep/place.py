"""A repository to look after, here or elsewhere: what upkeep needs of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from mu2net_core.errors import Mu2netError, NotFoundError
from mu2net_core.objects import parse_object_key
from mu2net_core.repo.core import Manifest, ObjectDatabase, Purged, Refs, Repository, Workers
from mu2net_core.repo.remotes import Node, RemoteRepository, load_manifest
from mu2net_core.storage import Store

__all__ = ["Place", "here", "there"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository, here or elsewhere, to look after.

    Attributes:
        identity: of the repository.
        store: its bytes.
        refs: its refs.
        copies: where its manifests are looked up: a copy of the same id is the same, so near ones come first.
        entries: commits that entries of heads name, by task and number, as far as they were read: they never change.
    """

    identity: str
    store: Store
    refs: Refs
    copies: tuple[ObjectDatabase, ...]
    entries: dict[tuple[str, int], str] = field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether its bytes lie on this machine, so that nothing is gained by several requests at once."""
        return self.store.local_path("objects") is not None

    def load(self, node: Node) -> Manifest:
        """Returns a manifest; raises NotFoundError if it is nowhere."""
        for objects in self.copies[:-1]:
            try:
                return load_manifest(objects, node)
            except Mu2netError:
                continue
        return load_manifest(self.copies[-1], node)

    def load_all(self, nodes: Iterable[Node]) -> Iterator[tuple[Node, Manifest | NotFoundError]]:
        """Yields manifests, several on their way at once; one that is nowhere as the error that says so.

        Raises:
            CorruptObjectError: one cannot be read.
        """
        if self.is_local:
            yield from map(self._try, nodes)
            return
        with Workers[tuple[Node, Manifest | NotFoundError]]() as workers:
            for node in nodes:
                workers.submit(partial(self._try, node))
            yield from workers.results()

    def _try(self, node: Node) -> tuple[Node, Manifest | NotFoundError]:
        try:
            return node, self.load(node)
        except NotFoundError as exc:
            return node, exc

    def nodes(self) -> list[Node]:
        """Returns kind and id of every object there is; lists the store."""
        return [node for key in self.store.list("objects") if (node := parse_object_key(key)) is not None]

    def purged(self) -> Purged:
        """Returns what was purged from this repository, as its tombstones claim; one listing, one read of each.

        That is: what may be missing, unless something that is alive needs it. Of what is there it proves nothing.
        """
        return Purged(stone for stone in self.refs.every_tombstone() if stone.identity == self.identity)

    def taught_by(self, component: str) -> tuple[str, ...]:
        """Returns the tasks whose data trained a component, by its own bytes, which are read unless they are near."""
        for objects in self.copies:
            with suppress(Mu2netError):
                if (label := objects.label(component)) is not None:
                    return label.trained_by
        with suppress(Mu2netError):
            return self.objects.component(component).label.trained_by
        return ()

    @property
    def objects(self) -> ObjectDatabase:
        """Its own objects."""
        return self.copies[-1]


def here(repo: Repository) -> Place:
    """Returns a repository on this machine as a place."""
    return Place(identity=repo.identity, store=repo.store, refs=repo.refs, copies=(repo.objects,))


def there(remote: RemoteRepository, near: Repository) -> Place:
    """Returns a remote as a place; of its manifests, those that ``near`` has are not brought over."""
    return Place(identity=near.identity, store=remote.store, refs=remote.refs, copies=(near.objects, remote.objects))
