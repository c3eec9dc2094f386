"""``mu2net merge``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.exchange import Names, OnConflict, OnConflictOption, RequireSigned, exchange
from mu2net_cli.session import session_of

if TYPE_CHECKING:
    from mu2net_core.api.results import Exchange

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

    def verb(*where: Any, progress: Any) -> Exchange:  # noqa: ARG001  it asks nobody
        return merge_api(*where, on_conflict=on_conflict.value, require_signed=require_signed)

    exchange(session_of(ctx), names, verb, direction="From", as_json=as_json)
