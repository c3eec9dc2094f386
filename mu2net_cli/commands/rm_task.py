"""``mu2net rm-task``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.options import TaskArgument
from mu2net_cli.render import short
from mu2net_cli.session import session_of
from mu2net_core.errors import InvalidInputError

__all__ = ["rm_task"]


def rm_task(
    ctx: typer.Context,
    task: TaskArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a task; its history stays.

    Models of other tasks that build on its layers keep them. Adding the task again continues its history; if its data,
    splits and readers are the same, it takes up its last model again.

    Example: mu2net rm-task cmaterdb/telugu
    """
    from mu2net_core.api.rm_task import rm_task as rm_task_api

    session = session_of(ctx)
    repo = session.repo()
    if not yes:
        _ask(session.interactive, task)
    head = rm_task_api(repo, session.context, task)
    session.say(f"Removed task {task} [{short(head.commit_id)}]; its history is in mu2net log {task}")


def _ask(interactive: bool, task: str) -> None:  # noqa: FBT001
    if not interactive:
        raise InvalidInputError(f"Removing {task} needs a yes.", hint=f"Say it with: mu2net rm-task {task} --yes")
    typer.confirm(f"Remove task {task}?", abort=True)
