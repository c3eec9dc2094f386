"""``mu2net reset``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_place
from mu2net_cli.parsing.options import JsonFlag, TaskArgument
from mu2net_cli.parsing.repeating import again
from mu2net_cli.printing.render import counted, print_json, short
from mu2net_cli.session import session_of
from mu2net_core.errors import InvalidInputError

if TYPE_CHECKING:
    from mu2net_core.api.tasks.reset import ResetResult

__all__ = ["reset"]


def reset(
    ctx: typer.Context,
    task: TaskArgument,
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="@{N}, ~N, a commit, model or tag.", autocompletion=complete_place)
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Go back to an earlier state of a task; nothing is deleted.

    The head moves on to a new commit, so that it can be pushed, is not undone by pulling, and can be reset itself. Work
    of others that builds on the models left behind does not win later merges. It brings a removed task back.

    Example: mu2net reset digits @{1} --yes
    """
    from mu2net_core.api.tasks.reset import reset as reset_api

    session = session_of(ctx)
    repo = session.repo()
    result = reset_api(repo, session.context, task, revision, dry_run=True)
    if not dry_run and result.changed:
        if not yes:
            _ask(ctx, result, interactive=session.interactive)
        result = reset_api(repo, session.context, task, result.target)
    if as_json:
        print_json(result)
        return
    session.say(_told(result))


def _ask(ctx: typer.Context, result: ResetResult, *, interactive: bool) -> None:
    if not interactive:
        raise InvalidInputError(
            f"Resetting {result.task} needs a yes.",
            hint=f"Say it with: {again(ctx, '--yes')}; look first: {again(ctx, '--dry-run')}",
        )
    typer.confirm(f"Reset {result.task} to {short(result.target)}, leaving {_left(result)} behind?", abort=True)


def _told(result: ResetResult) -> str:
    if not result.changed:
        return f"Nothing to do: the head of {result.task} is at {short(result.target)} already"
    state = "removed" if result.removed else f"model {short(result.model)}" if result.model else "no model"
    if result.commit is None:
        return f"Would reset {result.task} to {short(result.target)} ({state}), leaving {_left(result)} behind"
    return (
        f"Reset {result.task} to {short(result.target)} ({state}) [{short(result.commit)}]; "
        f"{_left(result)} left behind: back to it with mu2net reset {result.task} {short(result.before)}"
    )


def _left(result: ResetResult) -> str:
    return counted(len(result.left_behind), "commit")
