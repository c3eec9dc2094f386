"""Components of a partial clone that are elsewhere."""

from __future__ import annotations

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Limits
from mu2net_core.repo.core import Remote, Repository
from mu2net_core.repo.remotes import connect
from mu2net_core.repo.upkeep.place import here
from mu2net_core.repo.upkeep.reachable import reach, ref_tips

__all__ = ["only_there"]


def only_there(repo: Repository, remote: Remote) -> int:
    """Returns how many components that our heads, tags and roots need are on ``remote`` and neither here nor elsewhere.

    A remote that cannot be reached has none: forgetting where it is loses nothing that adding it again does not bring.
    """
    if not remote.partial:
        return 0
    absent = {oid for oid in _needed(repo) if not repo.objects.has("component", oid)}
    there = absent and absent & _listed(remote, repo.limits)
    for other in repo.config.remotes.values():
        if there and other.partial and other.name != remote.name:
            there -= _listed(other, repo.limits)
    return len(there)


def _needed(repo: Repository) -> set[str]:
    """Returns the components of every retained model."""
    place, purged = here(repo), here(repo).purged()
    return {oid for kind, oid in reach(place, ref_tips(place, purged), purged) if kind == "component"}


def _listed(remote: Remote, limits: Limits) -> set[str]:
    """Returns the components ``remote`` has; none if it cannot be reached.

    They are listed, for to ask for one is to tell its id: to name what others keep private takes no more.
    """
    try:
        return set(connect(remote, limits=limits).objects.ids("component"))
    except Mu2netError:
        return set()
