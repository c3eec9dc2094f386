"""Which agent is at which task: each takes one that no other is at, here and where its work is pushed to.

A claim is the task's workspace, which one process at a time can have, and leases that tell all others of it. Whatever
is wrong with a remote stops nothing: what two agents find is merged.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.leased import leases_here, leases_there
from mu2net_core.api.iterations.working import Working, in_words, told
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.sharing.pull import pull
from mu2net_core.errors import ConflictError, Mu2netError, NotFoundError
from mu2net_core.events import Event, GenerationFinished
from mu2net_core.objects import LARGEST_COUNT, Agent, Commit, Task
from mu2net_core.redaction import redact
from mu2net_core.repo import Refs, Repository
from mu2net_core.repo.history import load_rules
from mu2net_core.repo.leases import Held, Keeper, Lease, Leases
from mu2net_core.repo.probing import check_vetted
from mu2net_core.repo.remotes import Sender, find_remote, read_tracking
from mu2net_core.storage import FileLock

__all__ = ["Claim", "Claims", "HeldError"]

_LOOK_PERIOD_S = 60.0
"""A remote is looked at so often, at most, for tasks to leave out: it is a few requests."""

_SHORT_S = 60.0
"""So long an outage of a remote may last that is waited for."""


class HeldError(ConflictError):
    """Another agent works on the task.

    Attributes:
        working: which one, since when, and how far it is.
    """

    def __init__(self, working: Working, context: Context, *, is_itself: bool) -> None:
        where = "" if working.remote is None else f" (seen at {working.remote})"
        best = "" if working.score is None else f", best score {working.score:.4f}"
        super().__init__(
            f"{working.task} is being improved by {working.whole_name}{where}, for {in_words(working.for_s)}: "
            f"iteration {working.iteration}, generation {working.generation + 1}{best}.",
            hint="Wait for it, or improve another task."
            if is_itself
            else "Wait for it, or improve another task. To work on the same beside it, which merges: "
            f"{context.program} evolve --task {shlex.quote(working.task)} --no-leases",
        )
        self.working = working


@dataclass(slots=True)
class Claim(AbstractContextManager["Claim"]):
    """A task that this agent has, until its ``with`` block ends or the process does.

    Attributes:
        task: its name.
        context: of this process, told once what goes wrong.
    """

    task: str
    context: Context
    _lock: FileLock
    _keeper: Keeper
    _said: set[str] = field(default_factory=set)

    def __enter__(self) -> Claim:
        """Begins to renew the leases."""
        self._keeper.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        """Gives the task back."""
        try:
            self._keeper.__exit__(*exc)
        finally:
            self._lock.__exit__(None, None, None)

    def after(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """Returns ``on_event`` that also has the leases say how far the work is, after each generation."""

        def on_event_and_tell(event: Event) -> None:
            on_event(event)
            if isinstance(event, GenerationFinished):
                self._keeper.tell(event.generation + 1, event.best_score)
                self._warn()

        return on_event_and_tell

    def _warn(self) -> None:
        for lease in self._keeper.lost:
            by = lease.taken_by
            if by is not None:
                who = f"agent-{by.entry.agent.slot} of {by.entry.agent.host}"
                self._once(f"{who} took {self.task} over, as it had not heard of this agent; what both find is merged")
        for place, error in dict(self._keeper.trouble).items():
            self._once(
                f"others may take {self.task} too, for it cannot be said in {redact(place)} that it goes on: {error}"
            )

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.context.warn(text)


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
    _there: Leases | None = None
    _busy_there: frozenset[str] = frozenset()
    _looked: float | None = None
    _said: set[str] = field(default_factory=set)
    _away_since: float | None = None
    _kept: Lease | None = None

    def __post_init__(self) -> None:
        self._here = leases_here(self.repo, self.agent)

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
            self._catch_up(leases)
        except BaseException:
            lock.__exit__(None, None, None)
            raise
        return Claim(task, self.context, lock, Keeper(leases=leases))

    def free(self, task: str) -> Claim | None:
        """Returns likewise, or None if somebody is at it; asks a remote now and then only."""
        try:
            return None if self.is_asked and task in self._seen_busy() else self.take(task)
        except ConflictError as exc:
            if isinstance(exc, HeldError) and exc.working.remote is not None:
                self._busy_there |= {task}
            return None

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

    def log(self, task: str) -> Refs:
        """Returns whose log of a task's head is the one that all agents see."""
        there = self._connected()
        return self.repo.refs if there is None or not there.refs.number(task) else there.refs

    def _leases(self, task: str, *, joins: bool) -> tuple[Lease, ...]:
        """Returns the leases on a task, here and where it may be told; none on one that is not there any more."""
        head = self.repo.refs.head(task)
        commit = None if head is None else self.repo.objects.commit(head.commit)
        if commit is None or commit.removed:
            return ()
        taken: list[Lease] = []
        for leases in (self._here, self._telling(commit)):
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
                self._trouble(exc)
            return None
        if leases is not self._here:
            self._said.clear()
            self._away_since = None
            self._kept = found if isinstance(found, Lease) else self._kept
        return found

    def _catch_up(self, leases: Iterable[Lease]) -> None:
        """Pulls a task whose head moved at the remote since that was last seen: nobody begins from what is over."""
        for lease in leases:
            if self.remote is None or lease.leases is self._here:
                continue
            seen = read_tracking(self.repo.state, find_remote(self.repo.config, self.remote)).heads.get(lease.task)
            if seen is None or seen.number < lease.number:
                try:
                    pull(self.repo, self.context, self.remote, (lease.task,))
                except Mu2netError as exc:
                    self.context.warn(f"{lease.task} goes on from what is here: {exc.message}")

    def _telling(self, commit: Commit) -> Leases | None:
        """Returns the leases on the remote, if its readers may learn of the task."""
        there = self._connected()
        return there if there is not None and self._may_tell(commit) else None

    def _may_tell(self, commit: Commit) -> bool:
        if self.remote is None:
            return False
        sender = Sender(self.repo, find_remote(self.repo.config, self.remote), load_rules(self.repo))
        return sender.may_send(commit)

    def _connected(self) -> Leases | None:
        if self._there is None and self.remote is not None:
            remote = find_remote(self.repo.config, self.remote)
            try:
                check_vetted(self.repo.state, remote, now=self.context.now)
                self._there = leases_there(self.repo, self.agent, remote)
            except NotFoundError:
                return None  # the first push makes it
            except Mu2netError as exc:
                self._trouble(exc)
        return self._there

    def _seen_busy(self) -> frozenset[str]:
        """Returns the tasks that others were at when the remote was last looked at."""
        now = self.clock()
        if self._looked is None or now - self._looked >= _LOOK_PERIOD_S:
            self._looked, self._busy_there = now, frozenset()
            there = self._connected()
            try:
                found = () if there is None else there.living()
                mine = None if there is None else there.session
                self._busy_there = frozenset(held.task for held in found if held.entry.session != mine)
            except Mu2netError as exc:
                self._trouble(exc)
        return self._busy_there

    def _refuse(self, leases: Leases, held: Held) -> None:
        """Raises HeldError, unless the head moved this moment, and the lease is gone with that."""
        found = told(leases, held, None if leases is self._here else self.remote)
        if found is not None:
            by = held.entry.agent
            is_itself = (by.id, by.slot) == (self.agent.id, self.agent.slot)  # in another process
            raise HeldError(found, self.context, is_itself=is_itself)

    def _trouble(self, exc: Mu2netError) -> None:
        self._away_since = self.clock() if self._away_since is None else self._away_since
        if exc.kind not in self._said:  # of which the words differ each time: how often and how long it was tried
            self._said.add(exc.kind)
            self.context.warn(f"agents elsewhere do not see what is worked on here: {exc.message}")
