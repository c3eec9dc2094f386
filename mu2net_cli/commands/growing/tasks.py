"""``mu2net tasks``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.describe import access_text, output_text
from mu2net_cli.printing.render import Column, percent, print_json, print_table
from mu2net_cli.session import session_of

if TYPE_CHECKING:
    from mu2net_core.api.looking.tasks import TaskInfo

__all__ = ["tasks"]

_COLUMNS = (
    Column(title="task", style="bold"),
    Column(title="data", is_wide=True),
    Column(title="output"),
    Column(title="examples", align="right"),
    Column(title="access"),
    Column(title="iterations", align="right", is_wide=True),
    Column(title="validation", align="right"),
    Column(title="test", align="right"),
)


def tasks(
    ctx: typer.Context,
    *,
    removed: Annotated[bool, typer.Option("--removed", help="List removed tasks too.")] = False,
    wide: Annotated[bool, typer.Option("--wide", help="All columns on a terminal too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the tasks.

    'examples' counts those to train on, to validate with and to test with.
    A terminal shows the columns that fit 80 characters unless --wide; a pipe always gets all.

    Example: mu2net tasks
    """
    from mu2net_core.api.looking.tasks import tasks as tasks_api

    session = session_of(ctx)
    found = tasks_api(session.repo(), removed=removed)
    if as_json:
        print_json(found)
        return
    if not found:
        session.note("There is no task yet. Next: mu2net add-task sklearn:digits")
        return
    print_table(session, _COLUMNS, map(_cells, found), wide=wide)


def _cells(info: TaskInfo) -> tuple[str, ...]:
    if info.purged:
        return (info.name, "-", "-", "-", "purged", "-", "-", "-")
    counts = "/".join(str(info.num_examples.get(split, 0)) for split in ("train", "validation", "test"))
    access = "removed" if info.removed else access_text(info.name, info.readers)
    numbers = (str(info.iterations), percent(info.validation), percent(info.test))
    return (info.name, info.source, output_text(info.output, info.num_outputs), counts, access, *numbers)
