"""What runs on a node of a cluster for each agent: it starts the agent's process, and passes on what that says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, Queue

from mu2net_core.api.context import Context
from mu2net_core.api.pool.elsewhere import agents_folder
from mu2net_core.api.pool.job import Job, write_job
from mu2net_core.api.pool.own_cores import own_cores
from mu2net_core.api.pool.placement import Placement, cores_here, memory_share
from mu2net_core.api.pool.process import AgentProcess, Said
from mu2net_core.api.pool.resources import AgentResources
from mu2net_core.api.pool.sink import Wish
from mu2net_core.storage import make_folder

__all__ = ["Order", "supervise"]

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a supervisor is to do.

    Attributes:
        job: of the agent.
        program: what this Python is given to be an agent, before the file that says which.
        resources: that were set aside for it.
    """

    job: Job
    program: tuple[str, ...]
    resources: AgentResources


def supervise(order: Order, tell: Callable[[Sequence[Said]], Wish], context: Context) -> int:
    """Runs an agent until it ends; returns its exit code.

    Args:
        order: which one.
        tell: passes on what the agent says, nothing included, and returns what is wished of it.
        context: of this process.
    """
    inbox: Queue[Said] = Queue()
    folder = agents_folder(context)
    make_folder(folder, private=True)
    with own_cores(order.resources.cpu, cores_here()) as cores:
        process = AgentProcess(
            order.job.options.slot,
            [sys.executable, *order.program, str(write_job(folder, order.job))],
            environ=context.environ,
            cwd=folder,
            placement=Placement(cores=cores, environ=_devices(order.resources)),
            inbox=inbox,
        )
        try:
            return _pass_on(process, inbox, lambda said: tell([_placed(one, context.host) for one in said]))
        finally:
            process.kill()
            process.close()


def _pass_on(process: AgentProcess, inbox: Queue[Said], tell: Callable[[Sequence[Said]], Wish]) -> int:
    heeded: Wish = "go"
    while True:
        said = _next(inbox)
        wish = tell(said)
        if wish != heeded:
            heeded = wish
            (process.stop if wish == "stop" else process.kill)()
        if said and said[-1].kind == "end":
            return said[-1].code


def _next(inbox: Queue[Said]) -> list[Said]:
    """Returns all that was said by now, or within a second."""
    said: list[Said] = []
    with suppress(Empty):
        said.append(inbox.get(timeout=_LOOK_S))
        while True:
            said.append(inbox.get_nowait())
    return said


def _placed(said: Said, host: str) -> Said:
    return replace(said, text=host) if said.kind == "start" else said


def _devices(resources: AgentResources) -> dict[str, str]:
    """Returns variables that show an agent no GPU that it did not ask for; the cluster shows it those it did."""
    if resources.gpu == 0:
        return {"CUDA_VISIBLE_DEVICES": ""}
    return memory_share(1 / resources.gpu) if resources.gpu < 1 else {}
