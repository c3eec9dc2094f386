"""``mu2net tag``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.parsing.completion import complete_tag
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import Column, counted, print_json, print_table, short
from mu2net_cli.session import session_of
from mu2net_core.errors import InvalidInputError

__all__ = ["tag"]

_COLUMNS = (
    *(Column(title="tag", style="bold"), Column(title="snapshot")),
    *(Column(title="tasks"), Column(title="newest work"), Column(title="on")),
)


def tag(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The tag; without it, list them.", autocompletion=complete_tag),
    ] = None,
    *,
    public: Annotated[bool, typer.Option("--public", help="Name only what everybody may see.")] = False,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Delete the tag here.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Name the system as it is now, list the tags, or delete one.

    A tag never moves. One that names a private task stays at home when the rest is pushed; one made with --public can
    go wherever public tasks can. A tag that was pushed stays there when it is deleted here.

    Example: mu2net tag v1
    """
    from mu2net_core.api.sharing import tag as api

    session = session_of(ctx)
    repo = session.repo()
    if name is None and (public or delete):
        raise InvalidInputError(f"--{'delete' if delete else 'public'} needs the name of a tag.")
    if public and delete:
        raise InvalidInputError("--public is for a new tag, --delete for one that is there.")
    if name is None:
        tags = api.list_(repo)
        if as_json:
            print_json(tags)
        else:
            rows = ((t.name, short(t.snapshot), _some(t.tasks), _day(t.newest_at), _some(t.remotes)) for t in tags)
            print_table(session, _COLUMNS, rows)
        return
    found = api.delete(repo, name) if delete else api.create(repo, session.context, name, public=public)
    if as_json:
        print_json(found)
    elif delete:
        session.say(f"Deleted tag {name}: it was {short(found.snapshot)}")
        if found.remotes:
            session.note(f"It is still on {', '.join(found.remotes)}, and the next fetch from there brings it back.")
    else:
        session.say(f"Tagged {name}: {counted(len(found.tasks), 'task')} [{short(found.snapshot)}]")


def _day(moment: str | None) -> str:
    return "-" if moment is None else f"{moment[:16].replace('T', ' ')} UTC"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "-"
