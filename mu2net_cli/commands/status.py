"""``mu2net status``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from mu2net_cli.advice import next_step, relation_lines
from mu2net_cli.describe import access_text
from mu2net_cli.options import JsonFlag
from mu2net_cli.render import counted, percent, print_json, quantity, short
from mu2net_cli.session import session_of
from mu2net_cli.text import print_lines
from mu2net_core.objects import AccessRule

if TYPE_CHECKING:
    from mu2net_core.api.status import StatusReport, TaskStatus, Unfinished

__all__ = ["status"]


def status(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Say where everything stands and what to do next.

    Example: mu2net status
    """
    from mu2net_core.api.status import status as status_api

    session = session_of(ctx)
    repo = session.repo()
    report = status_api(repo, session.context)
    if as_json:
        print_json(report)
        return
    audiences = {name: AccessRule(readers=remote.readers) for name, remote in repo.config.remotes.items()}
    lines = (*_lines(report), *relation_lines(report, audiences), f"Next: {next_step(report, audiences)}")
    print_lines(lines)


def _lines(report: StatusReport) -> Iterator[str]:
    yield f"System {report.worktree} (preset {report.preset})"
    size = f"{counted(report.num_components, 'component')}, {quantity(report.num_params)} parameters"
    yield f"{counted(len(report.tasks), 'task')}, {size}"
    if len(report.roots) > 1:
        yield f"Roots: {', '.join(f'{name} {short(oid)}' for name, oid in sorted(report.roots.items()))}"
    width = max((len(task.task) for task in report.tasks), default=0)
    for task in report.tasks:
        yield f"  {task.task:<{width}}  {_stands(task)}"
    for state in report.unfinished:
        yield f"Unfinished: {_left(state)}"


def _left(state: Unfinished) -> str:
    parts = [state.task]
    if state.generations is not None:
        done = f"{state.generation} of {counted(state.generations, 'generation')} done, seed {state.seed}"
        parts = [f"{state.task}, iteration {state.iteration}: {done}"]
    return "; ".join(parts if state.stuck is None else [*parts, f"it cannot go on: {state.stuck}"])


def _stands(task: TaskStatus) -> str:
    access = access_text(task.task, task.access.readers)
    if task.model is None:
        return f"{access}, no model yet"
    quality = f"validation {percent(task.validation)}, test {percent(task.test)}"
    return f"{access}, {counted(task.iteration, 'iteration')}: {quality}"
