"""Where a pool's agents run that run on a Ray cluster, and what a pool has to share with them before they begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mu2net_core.api.context import Context
from mu2net_core.api.pool.resources import AgentResources
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import default_remote, push
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import find_remote, read_tracking

__all__ = ["Cluster", "meeting_place", "not_taken_in", "share", "take_in"]

_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Ray cluster, and what is set aside there for each agent.

    Attributes:
        address: of its head, HOST:PORT. It is never guessed: what Ray notes of clusters is one note a machine.
        resources: for each agent.
    """

    address: str
    resources: AgentResources = field(default_factory=AgentResources)

    def __post_init__(self) -> None:
        if self.address.lower().startswith("ray://"):
            raise InvalidInputError(
                f"Cannot use {self.address}: behind Ray's client a lost connection loses the agents.",
                hint="Run the same on a node of the cluster, with --ray-address HOST:6379 of its head.",
            )
        if not _ADDRESS.fullmatch(self.address):
            raise InvalidInputError(
                f"Expected the address of a Ray cluster, HOST:PORT, got {self.address[:200]!r}.",
                hint="ray start --head says it; its port is 6379 unless that was told another one.",
            )


def meeting_place(repo: Repository, context: Context) -> str:
    """Returns the name of the remote where the agents of a cluster meet.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: there are several, and none is ``origin``.
    """
    if not repo.config.remotes:
        raise NotFoundError(
            "Agents on a cluster have working copies of their own and meet at a remote, and there is none.",
            hint=f"Add one that all nodes reach: {context.program} remote add origin s3://BUCKET/FOLDER",
        )
    return default_remote(repo)


def share(repo: Repository, context: Context, tasks: Sequence[str]) -> tuple[str, ...]:
    """Brings this working copy and the remote to the same state of ``tasks``; returns those that are there then.

    Raises:
        InvalidInputError: none of them may go there.
        StorageError, AccessDeniedError: the remote cannot be reached or written.
    """
    remote = meeting_place(repo, context)
    try:
        pull(repo, context, remote)
    except NotFoundError:
        context.warn(f"there is no repository at {remote} yet: this makes one")
    push(repo, context, remote, tasks)
    there = read_tracking(repo.state, find_remote(repo.config, remote)).heads
    kept = [name for name in tasks if name not in there]
    if kept and len(kept) == len(tasks):
        raise InvalidInputError(
            f"The readers of {remote} may not see {', '.join(kept)}, so that no agent of a cluster can improve them.",
            hint="Improve them here: the same command without --executor ray.",
        )
    if kept:
        context.warn(f"not for the readers of {remote}, and left out: {', '.join(kept)}")
    return tuple(name for name in tasks if name in there)


def take_in(repo: Repository, context: Context) -> None:
    """Brings what the agents found into this working copy; it can be brought later, too."""
    try:
        pull(repo, context, meeting_place(repo, context))
    except Mu2netError as exc:
        not_taken_in(context, exc.message)
    except KeyboardInterrupt:
        not_taken_in(context)


def not_taken_in(context: Context, why: str = "this was ended before.") -> None:
    """Says that what the agents found is to be brought here later."""
    context.warn(f"what agents found is at the remote, and not here yet: {why} Try: {context.program} pull")
