"""The components that a remote was seen to refer to: what its heads, tags and roots reach, as they were last seen.

A remote is asked only for these: an id is all that a writer of it needs to name a component in a manifest of his own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from threading import Lock

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Commit, Model, Snapshot
from mu2net_core.repo.core import ObjectDatabase, Remote, Repository
from mu2net_core.repo.remotes.closure import Node, load_manifest, walk
from mu2net_core.repo.remotes.tracking import Tracking, read_tracking

__all__ = ["Holders", "held_by", "held_by_each", "referred_to"]


def held_by(repo: Repository, remote: Remote) -> frozenset[str]:
    """Returns the ids of the components that what was last seen of a remote reaches; asks nobody."""
    return referred_to(repo.objects, read_tracking(repo.state, remote))


def held_by_each(repo: Repository) -> Iterator[tuple[Remote, frozenset[str]]]:
    """Yields each partial remote with the components that it was seen to have."""
    for _, remote in sorted(repo.config.remotes.items()):
        if remote.partial:
            yield remote, held_by(repo, remote)


def referred_to(objects: ObjectDatabase, note: Tracking) -> frozenset[str]:
    """Returns the ids of the components that the refs of a remote reach; what is not in ``objects`` ends its line.

    Args:
        objects: ours: they tell what the refs reach.
        note: what was seen of the remote.
    """
    tags = [oid for oid in note.tags.values() if _is_readable(objects, ("snapshot", oid))]
    tips: list[Node] = [("commit", state.commit) for state in note.heads.values()]
    tips += [("commit", oid) for tag in tags for oid in _heads(objects, tag)]
    tips += [("model", oid) for oid in note.roots.values()] + [("snapshot", oid) for oid in tags]
    retained, models = set(note.roots.values()), dict[str, Model]()
    for (_, oid), value in walk(tips, partial(load_manifest, objects), lambda node: not _is_readable(objects, node)):
        if isinstance(value, Model):
            models[oid] = value
        elif isinstance(value, Snapshot):
            retained.update(value.roots.values())
        elif isinstance(value, Commit) and value.model is not None:
            retained.add(value.model)
    return frozenset(ref.id for oid in retained & models.keys() for ref in models[oid].components)


def _is_readable(objects: ObjectDatabase, node: Node) -> bool:
    try:
        return objects.has(*node) and load_manifest(objects, node) is not None
    except Mu2netError:
        return False  # fsck says so


def _heads(objects: ObjectDatabase, tag: str) -> Iterable[str]:
    try:
        return objects.snapshot(tag).heads.values()
    except Mu2netError:
        return ()


class Holders:
    """Which of several remotes were seen to refer to a component, worked out when one is first missing.

    What a remote refers to is worked out again if no remote is known to refer to one and something was fetched since.
    """

    def __init__(self, repo: Repository) -> None:
        """Looks into the notes of a working copy."""
        self._repo = repo
        self._known: dict[str, tuple[Tracking, frozenset[str]]] = {}
        self._lock = Lock()

    def of(self, oid: str, remotes: Iterable[Remote]) -> list[Remote]:
        """Returns those of ``remotes`` that may be asked for the component ``oid``; several threads may ask at once."""
        remotes = list(remotes)
        with self._lock:
            found = [remote for remote in remotes if oid in self._held(remote)]
            return found or [remote for remote in remotes if oid in self._held(remote, anew=True)]

    def _held(self, remote: Remote, *, anew: bool = False) -> frozenset[str]:
        if anew or remote.name not in self._known:
            note = read_tracking(self._repo.state, remote)
            if remote.name not in self._known or self._known[remote.name][0] != note:
                self._known[remote.name] = note, referred_to(self._repo.objects, note)
        return self._known[remote.name][1]
