"""``mu2net contributors``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_any_task, complete_remote
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import Column, counted, print_json, print_table
from mu2net_cli.printing.text import visible
from mu2net_cli.session import session_of
from mu2net_core.errors import InvalidInputError

if TYPE_CHECKING:
    from mu2net_core.api.credits.contributors import Contributor
    from mu2net_core.api.credits.tally import Credits

__all__ = ["contributors"]

_LONGEST_NAME, _LONGEST_WORD = 60, 19
"""Of the name of somebody in a table that has to fit 80 characters; a fingerprint does not."""

_SHOWN_ID = 8
_NUMBERS = (
    *(Column(title=title, align="right") for title in ("gain", "device s", "kept")),
    Column(title="discarded", align="right", is_wide=True),
    *(Column(title=title, align="right") for title in ("iterations", "tasks", "reuse")),
)
_COLUMNS = (
    Column(title="who", style="bold"),
    Column(title="identity"),
    *_NUMBERS,
    *(Column(title=title, is_wide=True) for title in ("keys", "agents")),
)
_COLUMNS_BY_TASK = (
    Column(title="task"),
    *(replace(column, is_wide=column.is_wide or column.title in {"kept", "tasks"}) for column in _COLUMNS),
)
_SORTED_BY = {
    "gain": attrgetter("gain"),
    "seconds": attrgetter("device_s"),
    "kept": attrgetter("kept"),
    "discarded": attrgetter("discarded"),
    "iterations": attrgetter("iterations"),
    "tasks": attrgetter("tasks_added"),
    "reuse": attrgetter("reuse"),
}
"""What people may be sorted by, beside their names."""


def _complete_column() -> list[str]:
    return list(_SORTED_BY)


def contributors(
    ctx: typer.Context,
    tasks: Annotated[
        list[str] | None,
        typer.Argument(metavar="TASK...", help="Only these tasks.", autocompletion=complete_any_task),
    ] = None,
    *,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Nothing older: 2026-03-01, 2d, ...")] = None,
    remote: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only what readers of this remote may see.", autocompletion=complete_remote),
    ] = None,
    keys: Annotated[Path | None, typer.Option(metavar="FILE", help="Allowed keys, as ssh's allowed_signers.")] = None,
    mailmap: Annotated[Path | None, typer.Option(metavar="FILE", help="What people are called.")] = None,
    by_task: Annotated[bool, typer.Option("--by-task", help="A row for each person and task.")] = False,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="gain|seconds|...", help="The most of a column first, not by name.", autocompletion=_complete_column
        ),
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", help="All columns on a terminal too.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say who brought what: gains, time, children, tasks, reuse.

    'gain' is what the scores of the tasks rose by, 'device s' the seconds that took, 'kept' and 'discarded' count
    children, 'tasks' those added, 'reuse' the other tasks whose models hold components that were trained for it. Who
    signs commits is told by the key; .mailmap and --keys name it. 'unsigned' is what a commit says, as anybody can. A
    terminal shows the columns that fit 80 characters unless --wide; a pipe always gets all.

    Example: mu2net contributors --since 30d --sort reuse
    """
    from mu2net_core.api.credits.contributors import contributors as contributors_api
    from mu2net_core.api.looking.log import parse_since

    if sort is not None and sort not in _SORTED_BY:
        raise InvalidInputError(f"Cannot sort by {sort!r}: expected one of {', '.join(_SORTED_BY)}.")
    session = session_of(ctx)
    earliest = parse_since(since, session.context.now()) if since else None
    report = contributors_api(
        session.repo(), session.context, tasks or (), since=earliest, remote=remote, keys=keys, mailmap=mailmap
    )
    if as_json:
        print_json(report)
        return
    names = _names(report.people, is_short=sys.stdout.isatty() and not wide)
    named = tuple(zip(names, report.people, strict=True))
    if by_task:
        each = sorted(((task, who, one, of) for who, one in named for task, of in one.tasks.items()), key=itemgetter(0))
        rows = [(of, (task, who, *_cells(one, of))) for task, who, one, of in each]
    else:
        rows = [(one.total, (who, *_cells(one, one.total))) for who, one in named]
    print_table(session, _COLUMNS_BY_TASK if by_task else _COLUMNS, _sorted(rows, sort), wide=wide)
    session.note(counted(len(report.people), "contributor"))


def _sorted(rows: list[tuple[Credits, tuple[str, ...]]], column: str | None) -> Iterator[tuple[str, ...]]:
    """Yields rows in their order, or those first that have most in a column."""
    if column is not None:
        rows = sorted(rows, key=lambda row: _SORTED_BY[column](row[0]), reverse=True)
    return (cells for _, cells in rows)


def _cells(one: Contributor, brought: Credits) -> tuple[str, ...]:
    numbers = (brought.kept, brought.discarded, brought.iterations, brought.tasks_added, brought.reuse)
    ids = (", ".join(one.keys) or "-", ", ".join(agent[:_SHOWN_ID] for agent in one.agents) or "-")
    return (one.identity, f"{brought.gain:.4f}", f"{brought.device_s:.0f}", *map(str, numbers), *ids)


def _names(people: Sequence[Contributor], *, is_short: bool) -> Iterator[str]:
    """Yields what people are called; working copies on machines of one name are told apart."""
    times = Counter((one.name, one.identity) for one in people)
    for one in people:
        name = _shortened(one.name) if is_short else one.name
        is_one_of_several = times[one.name, one.identity] > 1 and one.agents
        yield f"{name} ({one.agents[0][:_SHOWN_ID]})" if is_one_of_several else name


def _shortened(name: str) -> str:
    """Returns a name whose words, and all of it, are no longer than there is room for."""
    words = visible(name).split(" ")
    short = " ".join(word if len(word) <= _LONGEST_WORD else f"{word[: _LONGEST_WORD - 3]}..." for word in words)
    return short if len(short) <= _LONGEST_NAME else f"{short[:_LONGEST_NAME]}..."
