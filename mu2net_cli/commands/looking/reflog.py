"""``mu2net reflog``."""

from __future__ import annotations

import typer

from mu2net_cli.parsing.options import JsonFlag, OptionalTask
from mu2net_cli.printing.describe import named
from mu2net_cli.printing.render import Column, print_json, print_table, short
from mu2net_cli.session import session_of

__all__ = ["reflog"]

_COLUMNS = tuple(Column(title=title) for title in ("revision", "entry", "commit", "when", "what", "who", "message"))


def reflog(ctx: typer.Context, task: OptionalTask = None, *, as_json: JsonFlag = False) -> None:
    """List where the heads stood, newest first.

    Every move of a head is kept. What was purged since is named, and gone; or set aside for a while, if others purged
    it: mu2net rm-task TASK --undo brings that back.

    Example: mu2net reflog digits
    """
    from mu2net_core.api.looking.reflog import reflog as reflog_api

    session = session_of(ctx)
    entries = reflog_api(session.repo(), task)
    if as_json:
        print_json(entries)
        return
    rows = (
        (
            entry.revision,
            str(entry.number),
            short(entry.commit),
            (entry.finished_at or "-")[:19].replace("T", " "),
            f"{entry.event}, set aside" if entry.state == "set-aside" else entry.event or entry.state,
            "-" if entry.agent is None else named(entry.agent),
            entry.message or "-",
        )
        for entry in entries
    )
    print_table(session, _COLUMNS, rows)
