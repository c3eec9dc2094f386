"""The components that a remote was seen to have: what its heads, tags and roots reach, as they were last seen."""

from __future__ import annotations

from collections.abc import Iterator

from mu2net_core.repo.config import Remote
from mu2net_core.repo.place import here
from mu2net_core.repo.reach import Tips, reach
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.tracking import read_tracking

__all__ = ["held_by", "held_by_each"]


def held_by(repo: Repository, remote: Remote) -> frozenset[str]:
    """Returns the ids of the components that what was last seen of a remote reaches; asks nobody."""
    note = read_tracking(repo.state, remote)
    tips = Tips(
        faded=frozenset(s.commit for s in note.heads.values() if repo.objects.has("commit", s.commit)),
        models=frozenset(oid for oid in note.roots.values() if repo.objects.has("model", oid)),
        tags=frozenset(oid for oid in note.tags.values() if repo.objects.has("snapshot", oid)),
    )
    nodes = reach(here(repo), tips, here(repo).purged())
    return frozenset(oid for kind, oid in nodes if kind == "component")


def held_by_each(repo: Repository) -> Iterator[tuple[Remote, frozenset[str]]]:
    """Yields each partial remote with the components that it was seen to have."""
    for _, remote in sorted(repo.config.remotes.items()):
        if remote.partial:
            yield remote, held_by(repo, remote)
