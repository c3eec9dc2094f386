"""``mu2net push``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.exchange import (
    Names,
    OnConflict,
    OnConflictOption,
    exchange,
    exit_if_conflicting,
    exit_if_missing,
    report_plan,
    split_names,
)
from mu2net_cli.session import session_of

__all__ = ["push"]


def push(
    ctx: typer.Context,
    names: Names = None,
    *,
    on_conflict: OnConflictOption = OnConflict.BEST,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send local heads, and all they need, to a remote.

    The first push makes the remote's repository. Tasks that the remote may not hold are skipped, and it says so. What
    the remote lost of all that was seen there is sent again; it exits with 5 if that is not here.

    Example: mu2net push origin digits
    """
    from mu2net_core.api.sharing.push import plan_push
    from mu2net_core.api.sharing.push import push as push_api

    session = session_of(ctx)
    if dry_run:
        repo = session.repo()
        remote, tasks = split_names(repo, names)
        plan = plan_push(repo, session.context, remote, tasks, on_conflict=on_conflict.value)
        report_plan(session, plan, as_json=as_json)
        exit_if_conflicting(session, plan)
        return
    verb = partial(push_api, on_conflict=on_conflict.value)
    result = exchange(session, names, verb, direction="To", as_json=as_json)
    exit_if_missing(session, result, as_json=as_json)
