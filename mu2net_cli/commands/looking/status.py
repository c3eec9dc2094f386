"""``mu2net status``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.describe import access_text
from mu2net_cli.printing.render import ago, counted, percent, print_json, quantity, short
from mu2net_cli.printing.text import print_lines
from mu2net_cli.session import session_of

if TYPE_CHECKING:
    from mu2net_core.api.looking.next_steps import NextStep
    from mu2net_core.api.looking.status import RemoteStatus, StatusReport, TaskStatus, Unfinished

__all__ = ["status"]


def status(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Say where everything stands and what to do next.

    Remotes are compared as they were last seen: 'mu2net fetch' looks again. What to do next comes in the order in which
    it is best done; each line can be run as it is.

    Example: mu2net status
    """
    from mu2net_core.api.looking.status import status as status_api

    session = session_of(ctx)
    report = status_api(session.repo(), session.context)
    if as_json:
        print_json(report)
        return
    now = session.context.now()
    remotes = (_remote(remote, now) for remote in report.remotes)
    print_lines((*_lines(report), *remotes, *_next_lines(report.next)))


def _lines(report: StatusReport) -> Iterator[str]:
    base = "" if report.based_on == report.preset else f", based on {report.based_on}"
    yield f"System {report.worktree} (preset {report.preset}{base})"
    size = f"{counted(report.num_components, 'component')}, {quantity(report.num_params)} parameters"
    yield f"{counted(len(report.tasks), 'task')}, {size}"
    if len(report.roots) > 1:
        yield f"Roots: {', '.join(f'{name} {short(oid)}' for name, oid in sorted(report.roots.items()))}"
    width = max((len(task.task) for task in report.tasks), default=0)
    for task in report.tasks:
        yield f"  {task.task:<{width}}  {_stands(task)}"
    for state in report.unfinished:
        yield f"Unfinished: {_left(state)}"
    for name in report.set_aside:
        yield f"Set aside: {name}, since others purged it; mu2net rm-task {name} --undo brings it back"


def _left(state: Unfinished) -> str:
    parts = [state.task]
    if state.generations is not None:
        done = f"{state.generation} of {counted(state.generations, 'generation')} done, seed {state.seed}"
        parts = [f"{state.task}, iteration {state.iteration}: {done}"]
    return "; ".join(parts if state.stuck is None else [*parts, f"it cannot go on: {state.stuck}"])


def _stands(task: TaskStatus) -> str:
    access = access_text(task.task, task.access.readers)
    now = "" if task.process is None else f"; running now (process {task.process})"
    if task.model is None:
        return f"{access}, no model yet{now}"
    quality = f"validation {percent(task.validation)}, test {percent(task.test)}"
    chance = ", no better than guessing" if task.at_chance else ""
    return f"{access}, {counted(task.iteration, 'iteration')}: {quality}{chance}{now}"


def _remote(remote: RemoteStatus, now: datetime) -> str:
    """Returns how the heads here compare with a remote, and how old the knowledge of it is."""
    when = f", as seen {ago(remote.seen_at, now)}" if remote.seen_at else ""
    return f"Remote {remote.name} ({remote.url}){when}: {_relation(remote)}"


def _relation(remote: RemoteStatus) -> str:
    if remote.is_other:
        return "another repository was there when it was last looked at"
    ours = remote.to_push
    names = [*ours.tasks, *(f"root {name}" for name in ours.roots), *(f"tag {name}" for name in ours.tags)]
    parts = {
        "to push": names if remote.seen else (),
        "to pull": remote.tasks("behind", "only-there"),
        "moved on both sides": remote.tasks("diverged"),
        "moved on both sides, and a choice is needed": remote.tasks("conflict"),
        "purged here, still there": remote.tasks("purged"),
        "purged there, kept here": remote.tasks("purged-there"),
        "purged there, kept here with work that never was there": remote.tasks("outlived"),
    }
    told = [f"behind what was seen of it, gone there: {', '.join(remote.lost)}"] if remote.lost else []
    told += [f"{what}: {', '.join(some)}" for what, some in parts.items() if some]
    return "; ".join(told) or ("up to date" if remote.seen else "not contacted yet")


def _next_lines(steps: tuple[NextStep, ...]) -> Iterator[str]:
    """Yields a command per line; the reason is a comment to a shell, so that the line can be pasted as it is."""
    width = max((len(step.command) for step in steps), default=0)
    for step in steps:
        yield f"Next: {step.command:<{width}}  # {step.why}"
