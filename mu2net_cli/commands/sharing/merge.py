"""``mu2net merge``."""

from __future__ import annotations

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.exchange import (
    Names,
    OnConflict,
    OnConflictOption,
    RequireSigned,
    exit_unless_whole,
    report,
    reporting_conflicts,
    split_names,
)
from mu2net_cli.session import session_of

__all__ = ["merge"]


def merge(
    ctx: typer.Context,
    names: Names = None,
    *,
    on_conflict: OnConflictOption = OnConflict.BEST,
    require_signed: RequireSigned = None,
    as_json: JsonFlag = False,
) -> None:
    """Merge what was fetched into the local heads.

    Example: mu2net merge origin digits
    """
    from mu2net_core.api.sharing.merge import merge as merge_api

    session = session_of(ctx)
    repo = session.repo()
    remote, tasks = split_names(repo, names)
    with reporting_conflicts(session, direction="From", as_json=as_json):
        result = merge_api(
            repo, session.context, remote, tasks, on_conflict=on_conflict.value, require_signed=require_signed
        )
    report(session, result, direction="From", as_json=as_json)
    exit_unless_whole(session, result)
