"""Where lines end on a terminal: at words. A command that can be pasted stays in one piece, whatever its length."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TextIO

from mu2net_cli.parsing.verbs import VERBS

__all__ = ["cell_width", "column_widths", "terminal_height", "terminal_width", "wrapped", "wrapped_cell"]

_USUAL_WIDTH = 80
_LONG_WORD = 32
"""A word in a table that is longer may be broken where there is no room for it."""

_PROGRAM = rf"(?:mu2net(?: -C \S+| -\S+)* (?:{'|'.join(VERBS)})\b|pip install|ssh-keygen|ssh-add)"
_COMMAND = rf"{_PROGRAM}(?:(?<![.:]) (?:'[^']*'|[^ ;,()]+))*"
_PIECE = re.compile(rf" *(?:[('\"]?{_COMMAND}[^ ]*|`[^`]+`[^ ]*|[^ ]+)")
_BEGINNING = re.compile(r"[ │├└─]*(?:[\w ]{1,16}: +)?")
_BELOW = str.maketrans("├└─", "│  ")
_MARKS = ("/", "/@", "/@=,:_-")
"""After which of these a word in a table is broken where there is no room for it: the first if that is enough."""


def terminal_height(stream: TextIO) -> int | None:
    """Returns how many lines the terminal behind ``stream`` has; None where there is none, or it does not say."""
    if not stream.isatty():
        return None
    if (lines := os.environ.get("LINES", "")).isdecimal() and int(lines) > 0:
        return int(lines)
    try:
        return os.get_terminal_size(stream.fileno()).lines or None
    except (OSError, ValueError):
        return None


def terminal_width(stream: TextIO) -> int | None:
    """Returns how many characters fit into a line of the terminal behind ``stream``; None where there is none."""
    if not stream.isatty():
        return None
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def wrapped(line: str, width: int | None, *, indent: int | None = None) -> str:
    """Returns ``line`` with line ends between words, so that it fits into ``width``.

    Args:
        line: without line ends.
        width: of the terminal; None for no terminal, where nothing is wrapped.
        indent: of what follows; by default as far as a label at the beginning reaches.
    """
    if width is None or cell_width(line) <= width:
        return line
    hang = _hanging(line) if indent is None else " " * indent
    return "\n".join(_filled(line, width, hang if len(hang) < width // 2 else "  "))


def wrapped_cell(text: str, width: int) -> str:
    """Returns the text of a table's cell in lines of at most ``width``: words too long for that are broken."""
    lines = (part for line in _filled(text, width, "") for part in _broken(line, width))
    return "\n".join(lines)


def column_widths(titles: Sequence[str], rows: Sequence[Sequence[str]], available: int) -> list[int]:
    """Returns how wide the columns of a table are so that all fit into ``available``, if that can be.

    Cells get about as many lines in every column. No column is narrower than its title and its longest word, unless
    that makes all fit: then words are broken after marks such as slashes.
    """
    columns = list(zip(titles, *rows, strict=True))
    natural = [max(map(cell_width, column)) for column in columns]
    words = [
        max(cell_width(title), *(min(_longest(cell.split(" ")), _LONG_WORD) for cell in cells), 0)
        for title, *cells in columns
    ]
    broken = ([max(_longest(_parts(cell, marks)) for cell in column) for column in columns] for marks in _MARKS)
    least = next((least for least in (words, *broken) if sum(least) <= available), words)
    return _narrowed(natural, least, available)


def _narrowed(natural: Sequence[int], least: Sequence[int], available: int) -> list[int]:
    widths = list(natural)
    while sum(widths) > available:
        narrowable = [place for place, width in enumerate(widths) if width > least[place]]
        if not narrowable:
            break
        widths[min(narrowable, key=lambda place: natural[place] / (widths[place] - 1))] -= 1
    return widths


def cell_width(text: str) -> int:
    """Returns how many characters wide a terminal shows ``text``; those of East Asia are two wide."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _hanging(line: str) -> str:
    """Returns what a line begins with that follows ``line``: as far as its label reaches, and the lines of a tree."""
    start = _BEGINNING.match(line)
    begin = start[0] if start else ""
    return re.sub(r"[^ │]", " ", begin.translate(_BELOW)) + ("" if ":" in begin else "  ")


def _filled(text: str, width: int, hang: str) -> Iterator[str]:
    """Yields lines of ``text``; what is a comment to a shell is one in every line, so that all can be pasted."""
    line = ""
    for piece in _PIECE.findall(text):
        if line.strip() and cell_width(line + piece) > width:
            yield line
            line = hang + piece.lstrip(" ")
        else:
            line += piece
        if piece.startswith("  ") and piece.strip(" ") == "#":
            hang += "# "
    yield line


def _broken(line: str, width: int, marks: Sequence[str] = _MARKS) -> Iterator[str]:
    """Yields parts of a line that fit into ``width``, broken after a mark if there is one, else anywhere."""
    part = ""
    for piece in _parts(line, marks[0]) if marks else line:
        if part and cell_width(part + piece) > width:
            yield part
            part = ""
        part += piece
        if marks and cell_width(part) > width:
            *whole, part = _broken(part, width, marks[1:])
            yield from whole
    yield part


def _parts(text: str, marks: str) -> list[str]:
    """Returns ``text`` cut after each run of ``marks``, and before each word."""
    return re.findall(f" *[^ {re.escape(marks)}]*[{re.escape(marks)}]*", text)[:-1] or [text]


def _longest(words: Sequence[str]) -> int:
    return max(map(cell_width, words), default=0)
