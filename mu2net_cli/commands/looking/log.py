"""``mu2net log``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.parsing.options import OptionalTask
from mu2net_cli.printing.describe import commit_lines
from mu2net_cli.printing.render import percent, print_json_line, short
from mu2net_cli.printing.text import print_line, print_lines
from mu2net_cli.session import session_of

__all__ = ["log"]


def log(
    ctx: typer.Context,
    task: OptionalTask = None,
    *,
    oneline: Annotated[bool, typer.Option("--oneline", help="One line per commit.")] = False,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=0, metavar="N", help="At most N commits.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Nothing older: 2026-03-01, 2d, ...")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line per commit.")] = False,
) -> None:
    """Show what happened, newest first.

    Example: mu2net log digits --oneline -n 10
    """
    from mu2net_core.api.looking.log import log as log_api
    from mu2net_core.api.looking.log import parse_since

    session = session_of(ctx)
    earliest = parse_since(since, session.context.now()) if since else None
    for entry in log_api(session.repo(), task, since=earliest, limit=limit):
        if as_json:
            print_json_line(entry)
        elif oneline:
            kept = f": keeps {short(entry.model)}, validation {percent(entry.validation)}"
            chosen = kept if entry.event == "merge" and entry.model else ""
            print_line(f"{short(entry.commit)} {entry.task} {entry.message}{chosen}")
        else:
            print_lines((*commit_lines(entry), ""))
