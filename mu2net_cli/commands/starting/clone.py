"""``mu2net clone``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from mu2net_cli.parsing.options import FolderArgument, JsonFlag, ReadersOption, parse_readers
from mu2net_cli.parsing.program import program_in
from mu2net_cli.parsing.reaching import reachable
from mu2net_cli.printing.exchange import RequireSigned, exit_unless_whole, report, transfer_progress
from mu2net_cli.session import session_of

__all__ = ["clone"]

_LONGEST = 60


@reachable
def clone(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="A folder or URL with a repository.")],
    folder: FolderArgument = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Bring all components now.")] = False,
    readers: ReadersOption = None,
    options: Mapping[str, str],
    require_signed: RequireSigned = None,
    as_json: JsonFlag = False,
) -> None:
    """Copy a repository from a folder or bucket.

    A clone is partial unless --full: it has all history and manifests, and gets a component when something needs it.

    Example: mu2net clone s3://team-bucket/system my-copy
    """
    from mu2net_core.api.sharing.clone import clone as clone_api

    session = session_of(ctx)
    with transfer_progress(session) as watch:
        where = session.path(folder) if folder else None
        who = parse_readers(readers)
        result = clone_api(
            url,
            where,
            session.context,
            full,
            readers=who,
            options=options,
            require_signed=require_signed,
            progress=watch,
        )
    if not as_json:
        session.say(f"Cloned into {result.worktree}" + ("" if full else " (components come when needed)"))
    report(session, result, direction="From", as_json=as_json)
    inside = program_in(result.worktree)
    if result.settings:
        told = ", ".join(f"{key} = {_short(value)}" for key, value in sorted(result.settings.items()))
        session.note(f"Took over its settings: {told}. To take one back: {inside} config unset KEY")
    if result.meant_for is not None and not who:
        names = ",".join(result.meant_for)
        session.note(
            f"It says that only {names} can read it. If that is so: {inside} remote set origin --readers {names}"
        )
    exit_unless_whole(session, result)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
