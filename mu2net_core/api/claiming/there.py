"""The leases at the remote that an agent pushes to, which may be away: whatever is wrong with it stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.leased import leases_there
from mu2net_core.api.sharing.pull import pull
from mu2net_core.errors import Mu2netError, NotFoundError
from mu2net_core.objects import Agent, Commit
from mu2net_core.repo import Repository
from mu2net_core.repo.history import load_rules
from mu2net_core.repo.leases import Held, Lease, Leases
from mu2net_core.repo.probing import check_vetted
from mu2net_core.repo.remotes import Sender, find_remote, read_tracking

__all__ = ["There"]

_LOOK_PERIOD_S = 60.0
"""A remote is looked at so often, at most, for tasks to leave out: it is a few requests."""

_SHORT_S = 60.0
"""So long an outage of a remote may last that is waited for."""


@dataclass(slots=True, kw_only=True)
class There:
    """What one agent says at a remote, and sees of others there.

    Attributes:
        repo: of the agent.
        context: of this process, told once what goes wrong.
        agent: that takes tasks.
        remote: where its work is pushed to, by name; None if it is not: then nothing is said or seen.
        clock: seconds.
        leases: of the remote; None as long as it was not reached.
    """

    repo: Repository
    context: Context
    agent: Agent
    remote: str | None
    clock: Callable[[], float]
    leases: Leases | None = None
    _busy: frozenset[str] = frozenset()
    _looked: float | None = None
    _said: set[str] = field(default_factory=set)
    _away_since: float | None = None
    _kept: Lease | None = None

    @property
    def stays_at(self) -> str | None:
        """The task to stay with while the remote cannot be reached: it is this agent's there, whoever else looks.

        Who cannot reach the remote could not give it back. What is worked on instead, others may be at, too, or have
        done long ago.
        """
        is_away, kept = self._away_since is not None, self._kept
        return kept.task if is_away and kept is not None and kept.is_heeded else None

    def waits(self, task: str) -> bool:
        """Returns whether to wait for the remote rather than to begin a task that others would not see is taken.

        For a minute at most: most outages are short, and whoever is cut off for longer works on all the same.
        """
        if self._away_since is None or self.clock() - self._away_since >= _SHORT_S or task == self.stays_at:
            return False
        head = self.repo.refs.head(task)
        return head is not None and self._may_tell(self.repo.objects.commit(head.commit))

    def connected(self) -> Leases | None:
        """Returns the leases of the remote; None if there is none, or it cannot be reached."""
        if self.leases is None and self.remote is not None:
            remote = find_remote(self.repo.config, self.remote)
            try:
                check_vetted(self.repo.state, remote, now=self.context.now)
                self.leases = leases_there(self.repo, self.agent, remote)
            except NotFoundError:
                return None  # the first push makes it
            except Mu2netError as exc:
                self.trouble(exc)
        return self.leases

    def telling(self, commit: Commit) -> Leases | None:
        """Returns likewise, if the remote's readers may learn of the task of a commit."""
        there = self.connected()
        return there if there is not None and self._may_tell(commit) else None

    def busy(self) -> frozenset[str]:
        """Returns the tasks that others were at when the remote was last looked at, which is now and then only."""
        now = self.clock()
        if self._looked is None or now - self._looked >= _LOOK_PERIOD_S:
            self._looked, self._busy = now, frozenset()
            there = self.connected()
            try:
                found = () if there is None else there.living()
                mine = None if there is None else there.session
                self._busy = frozenset(held.task for held in found if held.entry.session != mine)
            except Mu2netError as exc:
                self.trouble(exc)
        return self._busy

    def note_busy(self, task: str) -> None:
        """Takes note that another agent was found to be at a task."""
        self._busy |= {task}

    def heard(self, found: Lease | Held) -> None:
        """Takes note of what came of taking a task there: the remote is not away."""
        self._said.clear()
        self._away_since = None
        self._kept = found if isinstance(found, Lease) else self._kept

    def trouble(self, exc: Mu2netError) -> None:
        """Takes note that the remote is away, and says so once."""
        self._away_since = self.clock() if self._away_since is None else self._away_since
        if exc.kind not in self._said:  # of which the words differ each time: how often and how long it was tried
            self._said.add(exc.kind)
            self.context.warn(f"agents elsewhere do not see what is worked on here: {exc.message}")

    def catch_up(self, lease: Lease) -> None:
        """Pulls a task whose head moved at the remote since that was last seen: nobody begins from what is over."""
        if self.remote is None:
            return
        seen = read_tracking(self.repo.state, find_remote(self.repo.config, self.remote)).heads.get(lease.task)
        if seen is None or seen.number < lease.number:
            try:
                pull(self.repo, self.context, self.remote, (lease.task,))
            except Mu2netError as exc:
                self.context.warn(f"{lease.task} goes on from what is here: {exc.message}")

    def _may_tell(self, commit: Commit) -> bool:
        if self.remote is None:
            return False
        sender = Sender(self.repo, find_remote(self.repo.config, self.remote), load_rules(self.repo))
        return sender.may_send(commit)
