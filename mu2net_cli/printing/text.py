"""Everything that is printed goes through here: text of unknown origin must not steer a terminal or fake a line.

Messages, hosts, class names, data paths and parts of errors may have been written by anybody who can push to a shared
repository. Control characters, escape sequences, and characters that reorder or hide text are shown as escapes.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from mu2net_cli.printing.layout import terminal_width, wrapped

if TYPE_CHECKING:
    from mu2net_core.api.failures import Failure

__all__ = [
    "diverted",
    "print_document",
    "print_drawn",
    "print_failure",
    "print_line",
    "print_lines",
    "print_row",
    "visible",
]

_LONGEST = 20_000
_JOINERS = "\u200c\u200d"  # scripts of India and emoji need them, and they hide nothing
_RISKY = re.compile(r"[^\x20-\x7e\n]")
_displays: list[Callable[[str], None]] = []
"""What shows lines for stderr while something is drawn there; the last one does."""


@contextmanager
def diverted(show: Callable[[str], None]) -> Iterator[None]:
    """Has lines for stderr shown by ``show``, which draws there, so that they do not tear what is drawn."""
    _displays.append(show)
    try:
        yield
    finally:
        _displays.remove(show)


def visible(text: str) -> str:
    """Returns ``text`` as one line that shows whatever is in it: what a terminal would act upon becomes an escape."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text) - _LONGEST} more characters)"
    return text if text.isprintable() else "".join(char if _is_plain(char) else _escape(char) for char in text)


def print_line(text: str, *, err: bool = False) -> None:
    """Prints ``text`` to stdout or stderr: as exactly one line, which a terminal shows wrapped at words."""
    if err and _displays:
        _displays[-1](visible(text))
    else:
        typer.echo(wrapped(visible(text), terminal_width(sys.stderr if err else sys.stdout)), err=err)


def print_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Prints each of ``lines`` likewise, at once."""
    width = terminal_width(sys.stderr if err else sys.stdout)
    typer.echo("\n".join(wrapped(visible(line), width) for line in lines), err=err)


def print_row(cells: Iterable[str], *, between: str, indent: int | None = None) -> None:
    """Prints ``cells`` as one line likewise, with ``between`` between them.

    Args:
        cells: of the row.
        between: them.
        indent: of what a terminal shows below, where the row is too long for it.
    """
    typer.echo(wrapped(between.join(map(visible, cells)), terminal_width(sys.stdout), indent=indent))


def print_drawn(lines: Iterable[Sequence[tuple[str, bool]]], *, styled: bool) -> None:
    """Prints lines of a drawing, given as harmless pieces of text with whether they are bold; no spaces at the end.

    Args:
        lines: of pieces.
        styled: whether there may be bold text at all.
    """
    for pieces in lines:
        used = len(pieces)
        while used and not pieces[used - 1][0].strip(" "):
            used -= 1
        shown = ((text, is_bold and styled and bool(text)) for text, is_bold in pieces[:used])
        typer.echo("".join(typer.style(text, bold=True) if is_bold else text for text, is_bold in shown))


def print_document(document: str, *, err: bool = False) -> None:
    """Prints a JSON document that says the same as ``document``, with escapes for what a terminal would act upon."""
    typer.echo(_RISKY.sub(lambda match: match[0] if _is_plain(match[0]) else _json_escape(match[0]), document), err=err)


def print_failure(failure: Failure) -> None:
    """Prints an error to stderr as a JSON document."""
    print_document(json.dumps({"error": asdict(failure)}), err=True)


def _is_plain(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    return char.encode("unicode_escape", errors="backslashreplace").decode()


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))
