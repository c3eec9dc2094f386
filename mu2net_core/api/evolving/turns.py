"""Which task comes next: through a list in turn, or whichever no other agent is at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Protocol

from mu2net_core.api.claiming.claim import Claim
from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.evolving.prospects import Prospects
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Head, System
from mu2net_core.repo import load_system
from mu2net_core.search import ranked
from mu2net_core.seeds import rng

__all__ = ["Agenda", "Shared", "Turn", "Turns", "has_reached", "taken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One iteration to run.

    Attributes:
        task: to improve.
        claim: takes it, so that no other agent does meanwhile; raises ConflictError if one has.
        begins: by task, the commits that it begins from, in a system of these tasks alone; None for the newest of all.
    """

    task: str
    claim: Callable[[], Claim]
    begins: Mapping[str, str] | None = None


class Turns(Protocol):
    """Says which task comes next."""

    def next(self) -> Turn | None:
        """Returns the next iteration; None if there is none now."""
        ...

    def drop(self, task: str) -> None:
        """Takes note that a task cannot be improved."""
        ...

    def rest(self, task: str) -> None:
        """Takes note that a task cannot be improved for now, as a storage fails."""
        ...

    def left(self) -> tuple[str, ...]:
        """Returns the tasks whose turn is to come, each as often as that is so."""
        ...


def has_reached(head: Head, until: float | None) -> bool:
    """Returns whether the model of a task is good enough."""
    return until is not None and head.model is not None and (head.model.score or 0.0) >= until


@dataclass(slots=True)
class Agenda:
    """Goes through a list of tasks, for an agent that is alone.

    Attributes:
        claims: takes tasks.
        until: the score that is good enough.
        pending: the tasks to come.
    """

    claims: Claims
    until: float | None
    pending: list[str]

    def next(self) -> Turn | None:
        """Returns the next of the list that is not good enough yet."""
        while self.pending:
            name = self.pending.pop(0)
            head = None if self.until is None else load_system(self.claims.repo).heads.get(name)
            if head is None or not has_reached(head, self.until):
                return Turn(task=name, claim=partial(self.claims.take, name))
        return None

    def drop(self, task: str) -> None:
        """Takes all turns of a task off the list."""
        self.pending = [other for other in self.pending if other != task]

    def rest(self, task: str) -> None:
        """Does likewise: there is nothing to wait for."""
        self.drop(task)

    def left(self) -> tuple[str, ...]:
        """Returns the rest of the list."""
        return tuple(self.pending)


_FIRST_REST_S, _LONGEST_REST_S = 15.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """A task that is left out until a moment, or until its head is no more at a commit, for the so-manieth time."""

    commit: str
    until: float
    times: int

    @classmethod
    def after(cls, before: _Rest | None, commit: str, now: float) -> _Rest:
        """Returns the rest after the one before: twice as long, if the task is where it was."""
        times = 1 if before is None or before.commit != commit else before.times + 1
        return cls(commit=commit, until=now + min(_FIRST_REST_S * 2 ** (times - 1), _LONGEST_REST_S), times=times)


@dataclass(slots=True, kw_only=True)
class Shared:
    """Takes, each time, a task that no other agent of the working copy is at.

    The task that lacks most iterations goes first; where it watches, the one that promises most. Agents that are more
    than there are tasks join others: two of them on one task are worth more than one, though less than on two.

    Attributes:
        claims: takes tasks, if nobody is at them.
        tasks: to choose from; None for all there are, those added later included.
        asked: slot, number of agents, and when a task is good enough.
        seed: of what is left to chance.
        goals: by task, how many iterations it is to have behind it; without end if None.
        first: tasks with an unfinished iteration of this agent.
    """

    claims: Claims
    tasks: Sequence[str] | None
    asked: EvolveOptions
    seed: int
    goals: dict[str, int] | None
    first: tuple[str, ...] = ()
    _prospects: Prospects = field(init=False)
    _dropped: dict[str, str] = field(default_factory=dict)
    _resting: dict[str, _Rest] = field(default_factory=dict)
    _turn: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self._prospects = Prospects(repo=self.claims.repo)

    def next(self) -> Turn | None:
        """Returns an iteration on a task that wants one and that nobody is at."""
        if self.asked.watch:
            with suppress(Mu2netError):  # whoever writes them is told; what was read before holds
                self.claims.repo.read_settings()  # those of tasks that are new among them
        system = load_system(self.claims.repo)
        wanted = self._wanted(system)
        is_asked = False  # whether the remote is back
        for name in self._in_order(system, wanted):
            if is_asked and self.asked.watch and self.claims.waits(name):
                continue
            is_asked, claim = True, self.claims.free(name)
            if claim is not None and not self._is_still_wanted(system, name):
                claim.__exit__(None, None, None)  # others did it meanwhile, which showed when it was taken
                return self.next()
            turn = None if claim is None else self._or_as_before(name, claim, wanted)
            if turn is not None:
                return turn
        return self._joined(system, wanted)

    def _or_as_before(self, name: str, claim: Claim, wanted: Sequence[str]) -> Turn | None:
        """Returns a turn at a task that was taken; if the remote turned out to be away, at the one before, or none."""
        before = self.claims.stays_at
        if before is not None and before != name and before in wanted:
            other = self.claims.free(before)
            if other is not None:
                claim.__exit__(None, None, None)
                name, claim = before, other
        if self.asked.watch and self.claims.waits(name):
            claim.__exit__(None, None, None)
            return None
        return Turn(task=name, claim=partial(taken, claim))

    def drop(self, task: str) -> None:
        """Leaves a task out until its head moves."""
        head = self.claims.repo.refs.head(task)
        self._dropped[task] = "" if head is None else head.commit

    def rest(self, task: str) -> None:
        """Leaves a task out for a while: for longer each time, unless its head moved."""
        head = self.claims.repo.refs.head(task)
        self._resting[task] = _Rest.after(
            self._resting.get(task), "" if head is None else head.commit, self.claims.clock()
        )

    def left(self) -> tuple[str, ...]:
        """Returns the tasks that want an iteration."""
        return tuple(self._wanted(load_system(self.claims.repo)))

    def _wanted(self, system: System) -> list[str]:
        names = [name for name in (system.heads if self.tasks is None else self.tasks) if name in system.heads]
        return [name for name in names if self._is_wanted(system.heads[name])]

    def _is_wanted(self, head: Head) -> bool:
        name = head.task.name
        if self._dropped.get(name) == head.commit_id or has_reached(head, self.asked.until):
            return False
        rest = self._resting.get(name)
        if rest is not None and rest.commit == head.commit_id and self.claims.clock() < rest.until:
            return False
        if self.goals is None:
            return True
        goal = self.goals.setdefault(name, head.commit.iteration + self.asked.rounds)
        return head.commit.iteration < goal

    def _is_still_wanted(self, system: System, name: str) -> bool:
        """Returns whether a task that was taken wants an iteration where it is now: its head may have been pulled."""
        head = self.claims.repo.refs.head(name)
        if head is None or head.commit == system.heads[name].commit_id:
            return True
        return name in self._wanted(load_system(self.claims.repo))

    def _in_order(self, system: System, wanted: Sequence[str]) -> list[str]:
        stays_at = self.claims.stays_at
        begun = [name for name in self.first if name in wanted] + [name for name in wanted if name == stays_at]
        self.first = ()
        if self.asked.watch:
            prospects = [self._prospects.of(system.heads[name]) for name in wanted]
            order = ranked(prospects, rng(self.seed, "turn", self.asked.slot, next(self._turn)))
        else:
            order = tuple(sorted(wanted, key=lambda name: self._done(system.heads[name])))
        return list(dict.fromkeys((*begun, *order)))

    def _done(self, head: Head) -> int:
        return head.commit.iteration - (self.goals or {}).get(head.task.name, 0)

    def _joined(self, system: System, wanted: Sequence[str]) -> Turn | None:
        """Returns an iteration on a task that another agent is at, if there are more agents than tasks."""
        tasks = len(system.heads) if self.tasks is None else len(self.tasks)
        if not wanted or (self.asked.agents or 1) <= tasks:
            return None
        name = wanted[self.asked.slot % len(wanted)]
        return Turn(task=name, claim=partial(self.claims.take, name, joins=True))


def taken(claim: Claim) -> Claim:
    """Returns a claim that was taken before."""
    return claim
