"""``mu2net clone``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.exchange import report, transfer_progress
from mu2net_cli.options import FolderArgument, JsonFlag, ReadersOption, parse_readers
from mu2net_cli.session import session_of

__all__ = ["clone"]


def clone(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="A folder with a repository.")],
    folder: FolderArgument = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Bring all components now.")] = False,
    readers: ReadersOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Copy a repository from a folder.

    A clone is partial unless --full: it has all history and manifests, and gets a component when something needs it.

    Example: mu2net clone /mnt/team/system my-copy
    """
    from mu2net_core.api.clone import clone as clone_api

    session = session_of(ctx)
    with transfer_progress(session) as watch:
        where = session.path(folder) if folder else None
        result = clone_api(url, where, session.context, full, readers=parse_readers(readers), progress=watch)
    if not as_json:
        session.say(f"Cloned into {result.worktree}" + ("" if full else " (components come when needed)"))
    report(session, result, direction="From", as_json=as_json)
