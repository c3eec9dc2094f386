"""What to do next, from where everything stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mu2net_core.objects import AccessRule

if TYPE_CHECKING:
    from mu2net_core.api.status import RemoteStatus, StatusReport

__all__ = ["next_step", "relation_lines"]


def next_step(report: StatusReport, audiences: Mapping[str, AccessRule]) -> str:
    """Returns the command to run next.

    Args:
        report: where everything stands.
        audiences: by remote, who can read it.
    """
    if not report.tasks:
        return "mu2net add-task DATASET, e.g. sklearn:digits or cmaterdb/bangla"
    behind = [f"mu2net push {remote.name} (sends again what it lost)" for remote in report.remotes if remote.lost]
    unfinished = [f"mu2net evolve --task {state.task} (goes on where it stopped)" for state in report.unfinished]
    if behind or unfinished:
        return [*behind, *unfinished][0]
    waiting = [task.task for task in report.tasks if task.model is None]
    if waiting:
        return "mu2net evolve --all" if len(waiting) == len(report.tasks) else f"mu2net evolve --task {waiting[0]}"
    for remote in report.remotes:
        if remote.tasks("behind", "diverged", "only-there"):
            return f"mu2net pull {remote.name}"
        if _to_push(report, remote, audiences[remote.name]):
            return f"mu2net push {remote.name}"
    shared = "" if report.remotes else ", or share it: mu2net remote add origin FOLDER"
    return f"mu2net evolve --all{shared}"


def relation_lines(report: StatusReport, audiences: Mapping[str, AccessRule]) -> list[str]:
    """Returns a line per remote: how the heads here compare with it."""
    return [f"Remote {remote.name} ({remote.url}): {_relation(report, remote, audiences)}" for remote in report.remotes]


def _relation(report: StatusReport, remote: RemoteStatus, audiences: Mapping[str, AccessRule]) -> str:
    if not remote.seen:
        return "not contacted yet"
    parts = {
        "to push": _to_push(report, remote, audiences[remote.name]),
        "to pull": remote.tasks("behind", "only-there"),
        "moved on both sides": remote.tasks("diverged"),
    }
    told = [f"behind what was seen of it, gone there: {', '.join(remote.lost)}"] if remote.lost else []
    told += [f"{what}: {', '.join(tasks)}" for what, tasks in parts.items() if tasks]
    return "; ".join(told) or "up to date"


def _to_push(report: StatusReport, remote: RemoteStatus, audience: AccessRule) -> tuple[str, ...]:
    """Returns the tasks whose heads the remote lacks and may hold."""
    rules = {task.task: task.access for task in report.tasks}
    candidates = remote.tasks("ahead", "only-here")
    return tuple(task for task in candidates if task in rules and rules[task].allows_all(audience))
