"""``mu2net show``."""

from __future__ import annotations

import typer

from mu2net_cli.describe import shown_lines
from mu2net_cli.options import JsonFlag, RevisionArgument
from mu2net_cli.render import print_json
from mu2net_cli.session import session_of
from mu2net_cli.text import print_lines

__all__ = ["show"]


def show(ctx: typer.Context, revision: RevisionArgument, *, as_json: JsonFlag = False) -> None:
    """Show one object: a model, task, commit or snapshot.

    Example: mu2net show digits@{1}
    """
    from mu2net_core.api.show import show as show_api

    shown = show_api(session_of(ctx).repo(), revision)
    if as_json:
        print_json(shown)
        return
    print_lines(shown_lines(shown))
