"""Which leases an agent of this working copy sees and takes: here, and on a remote."""

from __future__ import annotations

from collections.abc import Callable

from mu2net_core.api.iterations.running import folder_of, lock_of
from mu2net_core.objects import Agent, file_name
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.leases import Leases, Observer
from mu2net_core.repo.remotes import check_own, connect
from mu2net_core.storage import holder_of

__all__ = ["leases_here", "leases_there"]

_NOTES = "seen-leases"


def leases_here(repo: Repository, agent: Agent) -> Leases:
    """Returns the leases of the working copy, as one of its agents sees and takes them."""
    observer = Observer(file=repo.state / _NOTES / "here.json")
    return Leases(store=repo.store, refs=repo.refs, agent=agent, observer=observer, is_gone=_gone(repo))


def leases_there(repo: Repository, agent: Agent, remote: Remote) -> Leases:
    """Returns likewise those of a remote.

    Raises:
        NotFoundError: there is no repository yet.
        ConflictError: another one is there.
        AccessDeniedError: permissions forbid it.
        StorageError: it cannot be reached.
    """
    reached = connect(remote, limits=repo.limits)
    check_own(remote, reached.config().identity, repo.identity)
    file = repo.state / _NOTES / "remotes" / f"{file_name(remote.name)}.json"
    observer = Observer(file=file)
    return Leases(store=reached.store, refs=reached.refs, agent=agent, observer=observer, is_gone=_gone(repo))


def _gone(repo: Repository) -> Callable[[str, Agent], bool]:
    """Returns what tells of the agents of this working copy whether the process is gone that worked on a task.

    Its lock dies with it, so that nobody waits for one that was killed here. Of others only their leases are known.
    """

    def is_gone(task: str, agent: Agent) -> bool:
        is_free = holder_of(lock_of(folder_of(repo, task, agent.slot))) is None
        return is_free and agent.id == repo.agent_id

    return is_gone
