"""``mu2net pull``."""

from __future__ import annotations

from functools import partial

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.exchange import Names, OnConflict, OnConflictOption, RequireSigned, exchange
from mu2net_cli.session import session_of

__all__ = ["pull"]


def pull(
    ctx: typer.Context,
    names: Names = None,
    *,
    on_conflict: OnConflictOption = OnConflict.BEST,
    require_signed: RequireSigned = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch from a remote and merge into the local heads.

    A head that moved on both sides keeps both histories and the model with the better score.

    Example: mu2net pull
    """
    from mu2net_core.api.sharing.pull import pull as pull_api

    verb = partial(pull_api, on_conflict=on_conflict.value, require_signed=require_signed)
    exchange(session_of(ctx), names, verb, direction="From", as_json=as_json)
