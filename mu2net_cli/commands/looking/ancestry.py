"""``mu2net ancestry``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mu2net_cli.parsing.options import JsonFlag, RevisionArgument
from mu2net_cli.printing.lineage import layer_rows, transfer_lines, tree_lines
from mu2net_cli.printing.render import Column, print_json, print_table
from mu2net_cli.printing.text import print_lines
from mu2net_cli.session import session_of

__all__ = ["ancestry"]

_COLUMNS = (
    Column(title="layer", style="bold"),
    Column(title="parameters", align="right"),
    *(Column(title=title) for title in ("state", "made by", "operation", "line", "component")),
)


class Format(StrEnum):
    """How to print an ancestry."""

    TREE = "tree"
    TABLE = "table"
    JSON = "json"


def ancestry(
    ctx: typer.Context,
    revision: RevisionArgument,
    *,
    form: Annotated[Format, typer.Option("--format", metavar="tree|table|json", help="How to print it.")] = Format.TREE,
    transfer: Annotated[bool, typer.Option("--transfer", help="Say what each task taught.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show where every layer of a model comes from.

    Example: mu2net ancestry digits/parity --transfer
    """
    from mu2net_core.api.looking.ancestry import ancestry as ancestry_api

    session = session_of(ctx)
    found = ancestry_api(session.repo(), revision)
    if as_json or form is Format.JSON:
        print_json(found)
        return
    if form is Format.TABLE:
        columns = (*_COLUMNS, Column(title="taught by")) if transfer else _COLUMNS
        print_table(session, columns, layer_rows(found, transfer=transfer))
        return
    print_lines(tree_lines(found, transfer=transfer))
    if transfer:
        print_lines(transfer_lines(found))
