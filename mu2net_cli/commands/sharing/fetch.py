"""``mu2net fetch``."""

from __future__ import annotations

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.exchange import (
    Names,
    RequireSigned,
    exit_unless_whole,
    report,
    reporting_conflicts,
    split_names,
    transfer_progress,
)
from mu2net_cli.session import session_of

__all__ = ["fetch"]


def fetch(
    ctx: typer.Context, names: Names = None, *, require_signed: RequireSigned = None, as_json: JsonFlag = False
) -> None:
    """Learn what a remote has, without changing any head.

    Example: mu2net fetch origin
    """
    from mu2net_core.api.sharing.fetch import fetch as fetch_api

    session = session_of(ctx)
    repo = session.repo()
    remote, tasks = split_names(repo, names)
    telling = reporting_conflicts(session, direction="From", as_json=as_json)
    with telling, transfer_progress(session) as watch:
        result = fetch_api(repo, session.context, remote, tasks, require_signed=require_signed, progress=watch)
    report(session, result, direction="From", as_json=as_json)
    exit_unless_whole(session, result)
