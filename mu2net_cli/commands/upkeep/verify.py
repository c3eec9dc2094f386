"""``mu2net verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mu2net_cli.parsing.completion import complete_revision
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import Column, counted, print_json, print_table, short
from mu2net_cli.session import session_of
from mu2net_core.errors import InvalidInputError

__all__ = ["verify"]

_COLUMNS = tuple(Column(title=title) for title in ("what", "name", "id", "state", "signer"))


def verify(
    ctx: typer.Context,
    revision: Annotated[
        str | None, typer.Argument(metavar="REVISION", help="A task, commit or tag.", autocompletion=complete_revision)
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All heads, tags and tombstones; the default.")] = False,
    keys: Annotated[Path | None, typer.Option(metavar="FILE", help="Allowed keys, as ssh's allowed_signers.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check who signed the history of tasks, tags and purges.

    Without --keys or the setting pull.require_signed, any key is good enough: then only changes since the signing show.
    Exits with 1 if anything is not signed as it should be.

    Example: mu2net verify digits --keys allowed_signers
    """
    from mu2net_core.api.signing.verify import verify as verify_api

    if everything and revision is not None:
        raise InvalidInputError(f"Expected either {revision} or --all.")
    session = session_of(ctx)
    report = verify_api(session.repo(), session.context, revision, keys=keys)
    if as_json:
        print_json(report)
    else:
        rows = ((i.kind, i.name, short(i.id), i.state, i.signer or i.key or i.reason or "-") for i in report.items)
        print_table(session, _COLUMNS, rows)
        bad = sum(item.reason is not None for item in report.items)
        session.note(f"{counted(len(report.items), 'object')} checked, {bad} not signed as they should be")
    if not report.is_good:
        raise typer.Exit(1)
