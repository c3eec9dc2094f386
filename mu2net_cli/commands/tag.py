"""``mu2net tag``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.options import JsonFlag
from mu2net_cli.render import Column, counted, print_json, print_table, short
from mu2net_cli.session import session_of

__all__ = ["tag"]

_COLUMNS = (Column(title="tag", style="bold"), Column(title="snapshot"), Column(title="tasks"))


def tag(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The new tag; without it, list them.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Name the system as it is now, or list the tags.

    A tag never moves.

    Example: mu2net tag v1
    """
    from mu2net_core.api.tag import create, list_

    session = session_of(ctx)
    repo = session.repo()
    tags = list_(repo) if name is None else (create(repo, session.context, name),)
    if as_json:
        print_json(tags if name is None else tags[0])
    elif name is None:
        print_table(session, _COLUMNS, ((t.name, short(t.snapshot), ", ".join(t.tasks)) for t in tags))
    else:
        session.say(f"Tagged {name}: {counted(len(tags[0].tasks), 'task')} [{short(tags[0].snapshot)}]")
