"""``mu2net show``."""

from __future__ import annotations

import typer

from mu2net_cli.parsing.options import JsonFlag, RevisionArgument
from mu2net_cli.printing.describe import shown_lines
from mu2net_cli.printing.render import print_json
from mu2net_cli.printing.text import print_lines
from mu2net_cli.session import session_of

__all__ = ["show"]


def show(ctx: typer.Context, revision: RevisionArgument, *, as_json: JsonFlag = False) -> None:
    """Show one object: a model, task, commit or snapshot.

    Example: mu2net show digits@{1}
    """
    from mu2net_core.api.looking.show import show as show_api

    shown = show_api(session_of(ctx).repo(), revision)
    if as_json:
        print_json(shown)
        return
    print_lines(shown_lines(shown))
