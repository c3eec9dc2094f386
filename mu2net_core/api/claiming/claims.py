"""Which agent is at which task: each takes one that no other is at, here and where its work is pushed to.

A claim is the task's workspace, which one process at a time can have, and leases that tell all others of it. Whatever
is wrong with a remote stops nothing: what two agents find is merged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from mu2net_core.api.claiming.claim import Claim
from mu2net_core.api.claiming.held import HeldError
from mu2net_core.api.claiming.there import There
from mu2net_core.api.context import Context
from mu2net_core.api.iterations.leased import leases_here
from mu2net_core.api.iterations.working import told
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.errors import ConflictError, Mu2netError, NotFoundError
from mu2net_core.objects import LARGEST_COUNT, Agent, Commit, Task
from mu2net_core.repo import Refs, Repository
from mu2net_core.repo.leases import Held, Keeper, Lease, Leases

__all__ = ["Claims"]


@dataclass(slots=True, kw_only=True)
class Claims:
    """Takes tasks for one agent.

    Attributes:
        repo: whose tasks.
        context: of this process.
        agent: that takes them.
        remote: where its work is pushed to, by name; None if it is not.
        is_asked: whether leases are taken and heeded at all.
        method_of: returns the search method that improves a task.
        clock: seconds.
    """

    repo: Repository
    context: Context
    agent: Agent
    remote: str | None = None
    is_asked: bool = True
    method_of: Callable[[Task], str]
    clock: Callable[[], float] = time.monotonic
    _here: Leases = field(init=False)
    _there: There = field(init=False)

    def __post_init__(self) -> None:
        self._here = leases_here(self.repo, self.agent)
        self._there = There(
            repo=self.repo, context=self.context, agent=self.agent, remote=self.remote, clock=self.clock
        )

    def take(self, task: str, *, joins: bool = False) -> Claim:
        """Returns a task that nobody else is at.

        Args:
            task: its name.
            joins: whether to work on it all the same if somebody is.

        Raises:
            HeldError: another agent works on it.
            ConflictError: another process is this very agent, and works on it.
        """
        if self.is_asked and not joins and (held := self._here.holder(task)) is not None:
            self._refuse(self._here, held)
        lock = Workspace.of(self.repo, task, self.agent.slot).lock(task)
        lock.__enter__()
        try:
            leases = self._leases(task, joins=joins) if self.is_asked else ()
            for lease in leases:
                if lease.leases is not self._here:
                    self._there.catch_up(lease)
        except BaseException:
            lock.__exit__(None, None, None)
            raise
        return Claim(task, self.context, lock, Keeper(leases=leases))

    def free(self, task: str) -> Claim | None:
        """Returns likewise, or None if somebody is at it; asks a remote now and then only."""
        try:
            return None if self.is_asked and task in self._there.busy() else self.take(task)
        except ConflictError as exc:
            if isinstance(exc, HeldError) and exc.working.remote is not None:
                self._there.note_busy(task)
            return None

    @property
    def stays_at(self) -> str | None:
        """The task to stay with while the remote cannot be reached; None if there is no reason to."""
        return self._there.stays_at

    def waits(self, task: str) -> bool:
        """Returns whether to wait for the remote rather than to begin a task that others would not see is taken."""
        return self._there.waits(task)

    def log(self, task: str) -> Refs:
        """Returns whose log of a task's head is the one that all agents see."""
        there = self._there.connected()
        return self.repo.refs if there is None or not there.refs.number(task) else there.refs

    def _leases(self, task: str, *, joins: bool) -> tuple[Lease, ...]:
        """Returns the leases on a task, here and where it may be told; none on one that is not there any more."""
        head = self.repo.refs.head(task)
        commit = None if head is None else self.repo.objects.commit(head.commit)
        if commit is None or commit.removed:
            return ()
        taken: list[Lease] = []
        for leases in (self._here, self._there.telling(commit)):
            found = None if leases is None else self._acquire(leases, commit)
            if isinstance(found, Lease):
                taken.append(found)
            elif isinstance(found, Held) and leases is not None and not joins:
                for lease in taken:
                    lease.release()
                self._refuse(leases, found)
                return self._leases(task, joins=joins)
        return tuple(taken)

    def _acquire(self, leases: Leases, commit: Commit) -> Lease | Held | None:
        """Returns the lease, who has it, or None if it cannot be taken there."""
        model = None if commit.model is None else self.repo.objects.model(commit.model)
        method = ""
        with suppress(NotFoundError):  # of the task's preset, which its iteration says
            method = self.method_of(self.repo.objects.task(commit.task_id))
        try:
            found = leases.acquire(
                commit.task,
                iteration=min(commit.iteration + 1, LARGEST_COUNT),
                method=method,
                score=None if model is None else model.score,
            )
        except Mu2netError as exc:
            if leases is self._here:
                raise
            if not isinstance(exc, NotFoundError):  # a task that is not there yet is nobody else's
                self._there.trouble(exc)
            return None
        if leases is not self._here:
            self._there.heard(found)
        return found

    def _refuse(self, leases: Leases, held: Held) -> None:
        """Raises HeldError, unless the head moved this moment, and the lease is gone with that."""
        found = told(leases, held, None if leases is self._here else self.remote)
        if found is not None:
            by = held.entry.agent
            is_itself = (by.id, by.slot) == (self.agent.id, self.agent.slot)  # in another process
            raise HeldError(found, self.context, is_itself=is_itself)
