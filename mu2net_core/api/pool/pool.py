"""A pool of agents: one process watches over one process for each of them, wherever that runs, and computes nothing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event as Flag

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.checking import check_tasks
from mu2net_core.api.evolving.pushing import Pusher, is_pushed
from mu2net_core.api.iterations.options import EvolveOptions, goals_of
from mu2net_core.api.pool.cluster import Cluster, meeting_place, not_taken_in, share, take_in
from mu2net_core.api.pool.exchanging import Exchanging
from mu2net_core.api.pool.executor import Executor, LocalExecutor, Running
from mu2net_core.api.pool.happenings import PoolEvent
from mu2net_core.api.pool.home import home_of
from mu2net_core.api.pool.job import Job
from mu2net_core.api.pool.placement import cores_here, gpus_of, placements
from mu2net_core.api.pool.ray_executor import RayExecutor
from mu2net_core.api.pool.ray_package import load_ray
from mu2net_core.api.pool.seat import AgentReport, Seat
from mu2net_core.api.quiet import ignore
from mu2net_core.errors import InvalidInputError
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
        iterations: all that were finished, as their agents told of them, in no order that means anything; where they
            watch, the last 1,000 of each agent.
        stopped: whether it ended since that was asked for from outside; what is unfinished can go on.
    """

    agents: tuple[AgentReport, ...]
    iterations: tuple[IterationFinished, ...]
    stopped: bool


@dataclass(slots=True)
class Stopping:
    """How a pool is told to end, by a signal's handler or another thread.

    Attributes:
        soon: with the generation that each agent is at.
        now: at once; what was finished is kept.
    """

    soon: Flag = field(default_factory=Flag)
    now: Flag = field(default_factory=Flag)
    _is_interrupted: bool = False

    def ask(self) -> None:
        """Takes note of a signal: the first one means soon, any other now.

        Raises:
            KeyboardInterrupt: this process itself is at work, which ends with that; nothing is lost.
        """
        (self.now if self.soon.is_set() else self.soon).set()
        if self._is_interrupted:
            raise KeyboardInterrupt

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Has ``ask`` interrupt the block, which is what this process does before or after agents work."""
        self._is_interrupted = True
        try:
            yield
        finally:
            self._is_interrupted = False


def run_pool(
    repo: Repository,
    context: Context,
    tasks: Sequence[str] | None,
    options: EvolveOptions,
    *,
    program: Sequence[str],
    on_event: Callable[[PoolEvent], None] = ignore,
    stopping: Stopping | None = None,
    cluster: Cluster | None = None,
) -> PoolResult:
    """Runs ``options.agents`` agents, each in a process of its own, until none has anything left to do.

    One that fails is started again, later each time, and given up after so many failures in a row. None outlives this
    call, nor this process.

    Args:
        repo: to improve.
        context: of this process; agents get its environment and work in its folder.
        tasks: names that they share; None for all there are, and where they watch those to come.
        options: of all of them, and how many they are.
        program: what Python is given to be an agent, before the file that says which.
        on_event: told of everything that happens.
        stopping: set by whoever wants it to end.
        cluster: where agents run; None for this machine.

    Raises:
        NotFoundError: no such task, or no remote to push to.
        PluginError: a cluster of a kind whose package is not installed.
        InvalidInputError: a cluster, and tasks that cannot go there.
        SearchError: no task at all, or no root.
        ConflictError: another pool runs in this working copy.
        StorageError: the cluster cannot be reached.
        KeyboardInterrupt: it was asked to end before any agent was started on a cluster.
    """
    stopping = Stopping() if stopping is None else stopping
    if cluster is not None:
        load_ray()
        meeting_place(repo, context)
        options = _pushing(options)
    with FileLock(repo.state / "pool.lock", what="the agents of this working copy"):
        with nullcontext() if cluster is None else stopping.interrupting():
            job = _job(repo, context, tasks, options, is_elsewhere=cluster is not None)
            executor = _executor(repo, context, options, program, cluster)
        seats = _Pool(executor=executor).seats(job, on_event)
        with _exchanging(repo, context, job, cluster) as exchange:
            try:
                _watch_over(seats, executor, stopping, exchange)
            finally:
                _abandon(seats, executor)
        if cluster is not None and not stopping.now.is_set():
            with stopping.interrupting():
                take_in(repo, context)
        elif cluster is not None:
            not_taken_in(context)
    return PoolResult(
        agents=tuple(seat.report for seat in seats if seat.report is not None),
        iterations=tuple(event for seat in seats for event in seat.finished),
        stopped=stopping.soon.is_set() or stopping.now.is_set(),
    )


def _pushing(options: EvolveOptions) -> EvolveOptions:
    """Returns the options of agents that have nothing in common but a remote."""
    if options.push is False:
        raise InvalidInputError("What agents on a cluster find comes back by the remote: expected no --no-push.")
    return replace(options, push=True)


def _job(
    repo: Repository, context: Context, tasks: Sequence[str] | None, options: EvolveOptions, *, is_elsewhere: bool
) -> Job:
    """Returns what all agents are to do, once it is clear that it can be done."""
    system = load_system(repo)
    names = tuple(system.heads) if tasks is None else tuple(tasks)
    if names or not options.watch:
        check_tasks(repo, names, system)
    if is_elsewhere:
        names = share(repo, context, names)
        system = load_system(repo)
    elif is_pushed(repo, options):
        Pusher.to_default(repo, context, ignore)
    has_end = options.iterations is not None or not options.watch
    goals = goals_of(system, names, options.rounds) if has_end else None
    return Job(tasks=None if tasks is None else names, options=replace(options, goals=goals))


def _executor(
    repo: Repository, context: Context, options: EvolveOptions, program: Sequence[str], cluster: Cluster | None
) -> Executor:
    """Returns what starts agents, here or on a cluster."""
    if cluster is None:
        places = placements(options.agents or 1, cores_here(), gpus_of(context.environ))
        return LocalExecutor(repo=repo, context=context, program=program, places=places)
    remote = meeting_place(repo, context)
    return RayExecutor.connect(
        context, cluster, program=program, home_of=lambda slot: home_of(repo, context, remote, slot)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    executor: Executor
    started: set[int] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    def seats(self, job: Job, on_event: Callable[[PoolEvent], None]) -> list[Seat]:
        budget_s = job.options.budget_s
        return [
            Seat(
                slot=slot,
                start=partial(self._start, job, slot),
                on_event=on_event,
                clock=time.monotonic,
                finished=deque(maxlen=job.options.kept),
                deadline=None if budget_s is None else self.began + budget_s,
            )
            for slot in range(job.options.agents or 1)
        ]

    def _start(self, job: Job, slot: int) -> Running:
        """Starts an agent; one that is started again has what is left of the time, and keeps what it trained."""
        restart = job.options.restart and slot not in self.started
        self.started.add(slot)
        budget_s = job.options.budget_s
        left_s = None if budget_s is None else max(budget_s - (time.monotonic() - self.began), 0.0)
        return self.executor.start(
            replace(job, options=replace(job.options, slot=slot, budget_s=left_s, restart=restart))
        )


def _exchanging(
    repo: Repository, context: Context, job: Job, cluster: Cluster | None
) -> AbstractContextManager[Exchanging | None]:
    """Returns what exchanges with agents that have working copies of their own and go on for ever."""
    if cluster is None or not job.options.watch:
        return nullcontext()
    return Exchanging(repo=repo, context=context, tasks=job.tasks)


def _watch_over(seats: Sequence[Seat], executor: Executor, stopping: Stopping, exchange: Exchanging | None) -> None:
    """Starts the agents, and returns when all are over."""
    while True:
        if exchange is not None and exchange.has_news():
            for seat in seats:
                seat.renew()
        for seat in seats:
            if stopping.now.is_set():
                seat.kill()
            if stopping.soon.is_set() or stopping.now.is_set():
                seat.stop()
            else:
                seat.go()
        if all(seat.report is not None for seat in seats):
            return
        for said in executor.hear(_LOOK_S):
            seats[said.slot].hear(said)


def _abandon(seats: Sequence[Seat], executor: Executor) -> None:
    """Ends what is left of the agents."""
    try:
        for seat in seats:
            seat.kill()
        for seat in seats:
            seat.abandon()
    finally:
        executor.close()
