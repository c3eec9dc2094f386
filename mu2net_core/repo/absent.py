"""Components of a partial clone that are elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Set

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import object_key
from mu2net_core.repo.config import Remote
from mu2net_core.repo.merge import ancestry
from mu2net_core.repo.remotes import connect
from mu2net_core.repo.repository import Repository

__all__ = ["only_there"]


def only_there(repo: Repository, remote: Remote) -> int:
    """Returns how many components that our heads, tags and roots need are on ``remote`` and neither here nor elsewhere.

    A remote that cannot be reached has none: forgetting where it is loses nothing that adding it again does not bring.
    """
    if not remote.partial:
        return 0
    absent = {oid for oid in _needed(repo) if not repo.objects.has("component", oid)}
    there = _held(remote, absent)
    for other in repo.config.remotes.values():
        if other.partial and other.name != remote.name:
            there -= _held(other, there)
    return len(there)


def _needed(repo: Repository) -> Iterator[str]:
    """Yields the components of every retained model."""
    tips = {state.commit for state in repo.refs.heads().values()}
    models = set(repo.refs.roots().values())
    for snapshot_id in repo.refs.tags().values():
        snapshot = repo.objects.snapshot(snapshot_id)
        tips |= set(snapshot.heads.values())
        models |= set(snapshot.roots.values())
    retained = {repo.objects.commit(oid).model for oid in ancestry(repo.objects, tips)}
    for model_id in models | {model_id for model_id in retained if model_id is not None}:
        for ref in repo.objects.model(model_id).components:
            yield ref.id


def _held(remote: Remote, oids: Set[str]) -> set[str]:
    """Returns which components ``remote`` has; none if it cannot be reached."""
    try:
        store = connect(remote).store
        return {oid for oid in oids if store.exists(object_key("component", oid))}
    except Mu2netError:
        return set()
