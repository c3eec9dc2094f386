"""``mu2net leaderboard``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_tag
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import Column, percent, print_json, print_table, quantity
from mu2net_cli.session import session_of

if TYPE_CHECKING:
    from mu2net_core.insight import Row

__all__ = ["leaderboard"]

_COLUMNS = (
    Column(title="task", style="bold"),
    *(Column(title=title, align="right") for title in ("validation", "test", "parameters")),
    *(Column(title=title, align="right", is_wide=True) for title in ("accounted", "FLOPs")),
    *(Column(title=title, align="right") for title in ("blocks", "shared", "iterations")),
    *(Column(title=title, is_wide=True) for title in ("grown from", "knowledge from")),
)


def leaderboard(
    ctx: typer.Context,
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TAG", help="As it was at a tag or snapshot.", autocompletion=complete_tag),
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="All columns on a terminal too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Compare the tasks: accuracy, size and cost of their models.

    'accounted' is the task's share of its model's parameters, 'blocks' how many transformer blocks it has, 'shared' how
    many of all its layers the models of other tasks use too, e.g. 4/7.
    A terminal shows the columns that fit 80 characters unless --wide; a pipe always gets all.

    Example: mu2net leaderboard
    """
    from mu2net_core.api.looking.leaderboard import leaderboard as leaderboard_api

    session = session_of(ctx)
    board = leaderboard_api(session.repo(), at)
    if as_json:
        print_json(board)
        return
    print_table(session, _COLUMNS, map(_cells, board.rows), wide=wide)
    mean = f"mean validation {percent(board.mean_validation)}, test {percent(board.mean_test)}"
    session.note(f"{mean}; {board.num_components} components with {quantity(board.params)} parameters in all")


def _cells(row: Row) -> tuple[str, ...]:
    sizes = (quantity(row.params), quantity(row.accounted_params), quantity(row.flops))
    shared = "-" if row.components is None else f"{row.shared_components}/{row.components}"
    blocks = "-" if row.blocks is None else str(row.blocks)
    origin = (row.parent_task or ("root" if row.model else "-"), ", ".join(row.knowledge_from) or "-")
    return (row.task, percent(row.validation), percent(row.test), *sizes, blocks, shared, str(row.iterations), *origin)
