"""What to do next, from where everything stands. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mu2net_core.repo.exchange import GONE

if TYPE_CHECKING:
    from mu2net_core.api.looking.remote_status import RemoteStatus
    from mu2net_core.api.looking.status import StatusReport
    from mu2net_core.api.looking.unfinished import Unfinished

__all__ = ["NextStep", "next_steps"]

_FEW = 5
"""So many names are listed; of more it is said how many they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A command that can be run as it is, and why."""

    command: str
    why: str


def next_steps(report: StatusReport, program: str = "mu2net") -> tuple[NextStep, ...]:
    """Returns what to do next, in the order in which a person would: finish, take in, give out, begin, improve.

    Args:
        report: of where everything stands.
        program: how the commands begin that this working copy is reached with.
    """
    steps = [
        *map(_finish, sorted(_stopped(report), key=lambda state: state.stuck is not None)),
        *(step for remote in report.remotes for step in _heal(remote, program)),
        *(step for remote in report.remotes for step in _take(remote, program)),
        *(step for remote in report.remotes for step in _give(remote, program)),
        *_begin(report, program),
    ]
    return tuple(steps or _improve(report, program))


def _stopped(report: StatusReport) -> Iterator[Unfinished]:
    """Yields the unfinished iterations that nobody works on now."""
    busy = _busy(report)
    return (state for state in report.unfinished if state.task not in busy)


def _busy(report: StatusReport) -> frozenset[str]:
    """Returns the tasks that somebody works on: a process here, or an agent that says so."""
    processes = {task.task for task in report.tasks if task.process is not None}
    return frozenset(processes | {one.task for one in report.working if one.is_living})


def _finish(state: Unfinished) -> NextStep:
    if state.stuck is not None:
        return NextStep(command=state.command, why=f"begins anew: {state.stuck}")
    why = f"goes on after generation {state.generation} of {state.generations}"
    if state.generation == state.generations:
        why = "brings it to its end: all generations are done"
    return NextStep(command=state.command, why=why)


def _heal(remote: RemoteStatus, program: str) -> Iterator[NextStep]:
    if remote.is_other:
        why = "another repository was there: looks again, or says how to work on that one"
        yield NextStep(command=f"{program} fetch {remote.name}", why=why)
    elif GONE in remote.lost:
        yield NextStep(command=f"{program} push {remote.name}", why="looks again, or says how to begin anew")
    elif remote.lost:
        yield NextStep(command=f"{program} push {remote.name}", why=f"sends again what it lost: {_listed(remote.lost)}")


def _take(remote: RemoteStatus, program: str) -> Iterator[NextStep]:
    if remote.is_other:
        return
    theirs = {
        "moved on there": remote.tasks("behind"),
        "new there": remote.tasks("only-there"),
        "moved on both sides": remote.tasks("diverged"),
    }
    if any(theirs.values()):
        yield NextStep(command=f"{program} pull {remote.name}", why=_told(theirs))
    for task in remote.tasks("conflict"):
        yield NextStep(
            command=f"{program} pull {remote.name} {task} --on-conflict theirs",
            why=f"{task} moved on both sides, and cannot be joined: keep theirs, or else ours with --on-conflict ours",
        )


def _give(remote: RemoteStatus, program: str) -> Iterator[NextStep]:
    for task in remote.tasks("purged"):
        yield NextStep(
            command=f"{program} rm-task {task} --purge --remote {remote.name}",
            why="it was purged here, and is still there",
        )
    if remote.to_push and not remote.lost and not remote.is_other:
        yield NextStep(command=f"{program} push {remote.name}", why=_told(pending_names(remote)))


def pending_names(remote: RemoteStatus) -> dict[str, tuple[str, ...]]:
    """Returns what is to be pushed to a remote, by what it is, in words."""
    ours = remote.to_push
    return {
        "not there yet": ours.tasks,
        "root" if len(ours.roots) == 1 else "roots": ours.roots,
        "tag" if len(ours.tags) == 1 else "tags": ours.tags,
    }


def _begin(report: StatusReport, program: str) -> Iterator[NextStep]:
    busy = _busy(report)
    waiting = [task.task for task in report.tasks if task.model is None and task.task not in busy]
    begun = {state.task for state in report.unfinished}
    named = [task for task in waiting if task not in begun]
    if not report.tasks:
        yield NextStep(
            command=f"{program} add-task sklearn:digits", why="or any other data set: folder:PATH, npz:PATH, ..."
        )
    elif named:
        few = bool(busy) or (len(named) < len(report.tasks) and len(named) <= _FEW)
        chosen = " ".join(f"--task {task}" for task in named) if few else "--all"
        yield NextStep(command=f"{program} evolve {chosen}", why=f"no model yet: {_listed(named)}")


def _improve(report: StatusReport, program: str) -> Iterator[NextStep]:
    if not _busy(report):
        yield NextStep(command=f"{program} evolve --all", why="one more iteration of every task")
    if not report.remotes:
        yield NextStep(
            command=f"{program} remote add origin ../shared", why="to share it: a folder or bucket others reach"
        )


def _told(names: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{what}: {_listed(some)}" for what, some in names.items() if some)


def _listed(names: Iterable[str]) -> str:
    every = tuple(names)
    more = f" and {len(every) - _FEW} more" if len(every) > _FEW else ""
    return ", ".join(every[:_FEW]) + more
