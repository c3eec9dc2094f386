"""``mu2net fetch``."""

from __future__ import annotations

from functools import partial

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.exchange import Names, RequireSigned, exchange
from mu2net_cli.session import session_of

__all__ = ["fetch"]


def fetch(
    ctx: typer.Context, names: Names = None, *, require_signed: RequireSigned = None, as_json: JsonFlag = False
) -> None:
    """Learn what a remote has, without changing any head.

    Example: mu2net fetch origin
    """
    from mu2net_core.api.sharing.fetch import fetch as fetch_api

    verb = partial(fetch_api, require_signed=require_signed)
    exchange(session_of(ctx), names, verb, direction="From", as_json=as_json)
