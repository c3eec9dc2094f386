"""``mu2net remote``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.light import LightCommand, LightGroup
from mu2net_cli.options import JsonFlag, ReadersOption, complete_remote, parse_readers
from mu2net_cli.render import Column, print_json, print_table
from mu2net_cli.session import session_of

__all__ = ["remote"]

remote = typer.Typer(cls=LightGroup, add_completion=False, rich_markup_mode=None, invoke_without_command=True)

_NAME = typer.Argument(metavar="NAME", help="The remote.", autocompletion=complete_remote)
_COLUMNS = (Column(title="name", style="bold"), Column(title="url"), Column(title="readers"), Column(title="clone"))


@remote.callback()
def overview(ctx: typer.Context) -> None:
    """Add, list and remove remotes.

    A remote is another repository: a folder that others can reach.

    Example: mu2net remote add origin /mnt/team/system
    """
    if ctx.invoked_subcommand is None:
        list_remotes(ctx)


@remote.command("add", cls=LightCommand)
def add_remote(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it here, e.g. origin.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="A folder; the first push makes the repository.")],
    *,
    readers: ReadersOption = None,
) -> None:
    """Add a remote.

    With --readers it may also hold what those may read; without, only what is public.

    Example: mu2net remote add team /mnt/team/system --readers team-a
    """
    from mu2net_core.api.remote import add

    session = session_of(ctx)
    info = add(session.repo(), session.context, name, url, readers=parse_readers(readers))
    session.say(f"Added remote {info.name}: {info.url} ({_readers(info.readers)})")


@remote.command("list", cls=LightCommand)
def list_remotes(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """List the remotes.

    Example: mu2net remote list
    """
    from mu2net_core.api.remote import list_

    session = session_of(ctx)
    infos = list_(session.repo())
    if as_json:
        print_json(infos)
        return
    rows = ((i.name, i.url, _readers(i.readers), "partial" if i.partial else "full") for i in infos)
    print_table(session, _COLUMNS, rows)


@remote.command("remove", cls=LightCommand)
def remove_remote(ctx: typer.Context, name: Annotated[str, _NAME]) -> None:
    """Remove a remote; nothing over there is touched.

    Example: mu2net remote remove team
    """
    from mu2net_core.api.remote import remove

    session = session_of(ctx)
    info = remove(session.repo(), name)
    session.say(f"Removed remote {info.name}: {info.url}")


def _readers(readers: tuple[str, ...] | None) -> str:
    return "for everybody" if readers is None else f"for {','.join(readers)}"
