"""A pool of agents on this machine: one process watches over one process for each of them, and computes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from threading import Event as Flag

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.checking import check_tasks
from mu2net_core.api.evolving.pushing import Pusher, is_pushed
from mu2net_core.api.evolving.turns import goals_of
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.happenings import PoolEvent
from mu2net_core.api.pool.job import Job, write_job
from mu2net_core.api.pool.placement import Placement, gpus_of, placements
from mu2net_core.api.pool.process import AgentProcess, Said
from mu2net_core.api.pool.seat import AgentReport, Seat
from mu2net_core.api.quiet import ignore
from mu2net_core.events import IterationFinished
from mu2net_core.repo import Repository, load_system
from mu2net_core.storage import FileLock

__all__ = ["PoolResult", "Stopping", "run_pool"]

_LOOK_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolResult:
    """What a pool of agents came to.

    Attributes:
        agents: what became of each, by slot.
        iterations: all that were finished, as their agents told of them, in no order that means anything.
        stopped: whether it ended since that was asked for from outside; what is unfinished can go on.
    """

    agents: tuple[AgentReport, ...]
    iterations: tuple[IterationFinished, ...]
    stopped: bool


@dataclass(frozen=True, slots=True)
class Stopping:
    """How a pool is told to end, by a signal's handler or another thread.

    Attributes:
        soon: with the generation that each agent is at.
        now: at once; what was finished is kept.
    """

    soon: Flag = field(default_factory=Flag)
    now: Flag = field(default_factory=Flag)


def run_pool(
    repo: Repository,
    context: Context,
    tasks: Sequence[str] | None,
    options: EvolveOptions,
    *,
    command: Callable[[Path], Sequence[str]],
    on_event: Callable[[PoolEvent], None] = ignore,
    stopping: Stopping | None = None,
) -> PoolResult:
    """Runs ``options.agents`` agents, each in a process of its own, until none has anything left to do.

    One that fails is started again, later each time, and given up after so many failures in a row. None outlives this
    call, nor this process.

    Args:
        repo: to improve.
        context: of this process; agents get its environment and work in its folder.
        tasks: names that they share; None for all there are, and where they watch those to come.
        options: of all of them, and how many they are.
        command: returns the command line of an agent whose job lies in a file.
        on_event: told of everything that happens.
        stopping: set by whoever wants it to end.

    Raises:
        NotFoundError: no such task, or no remote to push to.
        SearchError: no task at all, or no root.
        ConflictError: another pool runs in this working copy.
    """
    system, stopping = load_system(repo), Stopping() if stopping is None else stopping
    names = tuple(system.heads) if tasks is None else tuple(tasks)
    if names or not options.watch:
        check_tasks(repo, names, system)
    if is_pushed(repo, options):
        Pusher.to_default(repo, context, ignore)
    has_end = options.iterations is not None or not options.watch
    asked = replace(options, goals=goals_of(system, names, options.rounds) if has_end else None)
    with FileLock(repo.state / "pool.lock", what="the agents of this working copy"):
        pool = _Pool(repo=repo, context=context, command=command)
        seats = pool.seats(Job(tasks=None if tasks is None else names, options=asked), on_event)
        try:
            _watch_over(seats, pool.inbox, stopping)
        finally:
            for seat in seats:
                seat.abandon()
    return PoolResult(
        agents=tuple(seat.report for seat in seats if seat.report is not None),
        iterations=tuple(event for seat in seats for event in seat.finished),
        stopped=stopping.soon.is_set() or stopping.now.is_set(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    repo: Repository
    context: Context
    command: Callable[[Path], Sequence[str]]
    inbox: Queue[Said] = field(default_factory=Queue)
    began: float = field(default_factory=time.monotonic)

    def seats(self, job: Job, on_event: Callable[[PoolEvent], None]) -> list[Seat]:
        budget_s = job.options.budget_s
        places = placements(job.options.agents or 1, _cores(), gpus_of(self.context.environ))
        return [
            Seat(
                slot=slot,
                cores=place.cores,
                start=partial(self._start, job, slot, place),
                on_event=on_event,
                clock=time.monotonic,
                deadline=None if budget_s is None else self.began + budget_s,
            )
            for slot, place in enumerate(places)
        ]

    def _start(self, job: Job, slot: int, place: Placement) -> AgentProcess:
        """Starts an agent; one that is started again has what is left of the time."""
        budget_s = job.options.budget_s
        left_s = None if budget_s is None else max(budget_s - (time.monotonic() - self.began), 0.0)
        own = replace(job, options=replace(job.options, slot=slot, budget_s=left_s))
        return AgentProcess(
            slot,
            self.command(write_job(self.repo, own)),
            environ=self.context.environ,
            cwd=self.context.cwd,
            placement=place,
            inbox=self.inbox,
        )


def _watch_over(seats: Sequence[Seat], inbox: Queue[Said], stopping: Stopping) -> None:
    """Starts the agents, and returns when all are over."""
    while True:
        for seat in seats:
            if stopping.now.is_set():
                seat.kill()
            if stopping.soon.is_set() or stopping.now.is_set():
                seat.stop()
            else:
                seat.go()
        if all(seat.report is not None for seat in seats):
            return
        try:
            said = inbox.get(timeout=_LOOK_S)
        except Empty:
            continue
        seats[said.slot].hear(said)


def _cores() -> tuple[int, ...]:
    """Returns the cores that this process may use; of systems that do not tell, none."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
