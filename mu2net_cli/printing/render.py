"""Results to stdout: a table on a terminal, tab-separated columns in a pipe, JSON on request."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from mu2net_cli.printing.layout import cell_width, column_widths, terminal_width, wrapped_cell
from mu2net_cli.printing.text import print_document, print_drawn, print_row, visible
from mu2net_core.objects import to_document

if TYPE_CHECKING:
    from rich.console import Console

    from mu2net_cli.session import Session

__all__ = [
    "Column",
    "ago",
    "console",
    "counted",
    "duration",
    "percent",
    "print_fields",
    "print_json",
    "print_json_items",
    "print_json_line",
    "print_table",
    "quantity",
    "short",
]

_ID_LENGTH = 10
_GAP = "  "
"""Between the columns of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: its title and how it is drawn on a terminal; a wide one only where that is asked for."""

    title: str
    align: Literal["left", "right"] = "left"
    style: str = ""
    is_wide: bool = False


def short(oid: str | None) -> str:
    """Returns the first digits of an id, enough to name it by; ``-`` for None."""
    return oid[:_ID_LENGTH] if oid else "-"


def percent(value: float | None) -> str:
    """Returns a share in [0, 1] as a percentage with two decimals; ``-`` for None."""
    return "-" if value is None else f"{100 * value:.2f}%"


def quantity(value: float | None) -> str:
    """Returns a large number in three or four digits and a letter, e.g. ``5.53M``; ``-`` for None."""
    if value is None:
        return "-"
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.2f}{letter}"
    return f"{value:g}" if float(value).is_integer() else f"{value:.2f}"


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, e.g. ``1 child``, ``3 children``, ``2 objects``."""
    plural = {"child": "children", "entry": "entries"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"


def duration(seconds: float) -> str:
    """Returns a duration in one or two units, e.g. ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def ago(moment: str, now: datetime) -> str:
    """Returns how long before ``now`` a moment (ISO 8601) was, in its largest unit, e.g. ``3 minutes ago``."""
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    for length_s, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length_s:
            return f"{counted(int(seconds // length_s), unit)} ago"
    return "just now"


def print_json(value: Any) -> None:
    """Prints ``value`` as one JSON document, indented on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    print_document(json.dumps(to_document(value), indent=indent, ensure_ascii=False))


def print_json_items(values: Iterable[Any]) -> None:
    """Prints ``values`` as one JSON document, a list with a line per item, each as soon as it is there."""
    print_document("[")
    for number, value in enumerate(values):
        print_document(("," if number else "") + json.dumps(to_document(value), ensure_ascii=False))
    print_document("]")


def print_json_line(value: Any) -> None:
    """Prints ``value`` as one line of JSON: for output that streams."""
    print_document(json.dumps(to_document(value), ensure_ascii=False))


def print_fields(fields: Mapping[str, str]) -> None:
    """Prints names and values, aligned on a terminal, tab-separated in a pipe."""
    width, between = (max(map(len, fields), default=0) + 2, "") if sys.stdout.isatty() else (0, "\t")
    for name, value in fields.items():
        print_row([name.ljust(width), value], between=between, indent=width)


def print_table(
    session: Session, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, wide: bool = False
) -> None:
    """Prints a table with titles on a terminal; in a pipe rows of tab-separated cells, with titles if asked for.

    Args:
        session: of the command.
        columns: of the table.
        rows: a cell for each column.
        wide: whether a terminal gets the wide columns, too; a pipe always does.
    """
    if sys.stdout.isatty():
        shown = [place for place, column in enumerate(columns) if wide or not column.is_wide]
        _draw_table(session, [columns[place] for place in shown], ([row[place] for place in shown] for row in rows))
        return
    if session.header:
        print_row((column.title for column in columns), between="\t")
    for row in rows:
        print_row(row, between="\t")


def _draw_table(session: Session, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Draws a table that loses nothing: cells wrap at words, and what is still too wide runs on over the edge."""
    cells = [tuple(map(visible, row)) for row in rows]
    titles = [column.title for column in columns]
    room = (terminal_width(sys.stdout) or 0) - len(_GAP) * (len(columns) - 1)
    widths = column_widths(titles, cells, room)
    bold = [column.style == "bold" for column in columns]
    print_drawn(_drawn_row(columns, widths, titles, [True] * len(columns)), styled=session.styled)
    for row in cells:
        print_drawn(_drawn_row(columns, widths, row, bold), styled=session.styled)


def _drawn_row(
    columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str], bold: Sequence[bool]
) -> Iterator[list[tuple[str, bool]]]:
    """Yields the lines of a row, each as pieces of text with whether they are bold."""
    wrapped = [wrapped_cell(cell, width).split("\n") for cell, width in zip(cells, widths, strict=True)]
    for texts in zip_longest(*wrapped, fillvalue=""):
        pieces = []
        for column, width, text, is_bold in zip(columns, widths, texts, bold, strict=True):
            space = " " * (width - cell_width(text.rstrip(" ")))
            pieces += [(space, False)] * (column.align == "right") + [(text.rstrip(" "), is_bold)]
            pieces += [(space, False)] * (column.align == "left") + [(_GAP, False)]
        yield pieces


def console(session: Session, *, stderr: bool = False) -> Console:
    """Returns a console for stdout or stderr that follows ``--no-color``."""
    from rich.console import Console

    return Console(stderr=stderr, no_color=session.color is False, highlight=False, soft_wrap=False)
