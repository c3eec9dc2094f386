"""CSV and its like as rows: cells parted by one character, quoted where they hold it.

Python's ``csv`` reads, strictly: a quote that is left open is an error, and no silent end. Where each row begins is
told with it, which makes parts of a large file readable alone.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mu2net_core.data.rows.content import ROW_BYTES, Content
from mu2net_core.data.rows.json_lines import object_in
from mu2net_core.data.rows.row import Row, check_columns, number_of
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError, InvalidInputError

__all__ = ["Layout", "SeparatedFile", "find_layout"]

_SEPARATORS = (",", ";", "\t", "|")
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_LOOKED_AT = 200
_MARK = "\ufeff"
_EXCEL = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_COMMA, _POINT = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+"), re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?")

csv.field_size_limit(max(csv.field_size_limit(), ROW_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the rows of a file are written.

    Attributes:
        separator: between cells.
        quotes: whether double quotes enclose cells.
        header: whether the first row has the names of the columns.
        decimal: what stands before the fraction of a number.
        skipped: lines before the first row.
    """

    separator: str
    quotes: bool = True
    header: bool = True
    decimal: str = "."
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparatedFile:
    """The rows of such a file; ``columns`` are their names."""

    content: Content
    layout: Layout
    columns: tuple[str, ...]

    def scan(self) -> Iterator[tuple[int, int, Row | DataError]]:
        """Yields each row, or what is wrong with it, with the places where it begins and ends."""
        at, first = self.content.start, self.layout.skipped
        for number, (start, stop, cells) in enumerate(_split(self.content.lines(), self.content, self.layout)):
            if number < first + self.layout.header or not any(cells):
                continue
            yield at + start, at + stop, self._row(cells, f"row {number + 1 - first}")

    def parse(self, data: bytes) -> Iterator[Row | DataError]:
        """Yields the rows that a part of the file holds."""
        lines = (line + b"\n" for line in data.removesuffix(b"\n").split(b"\n"))
        for _, _, cells in _split(lines, self.content, self.layout):
            if any(cells):
                yield self._row(cells, "a row")

    def _row(self, cells: list[str], name: str) -> Row | DataError:
        extra = cells[len(self.columns) :]
        if len(cells) < len(self.columns) or any(extra):
            return DataError(f"{name} has {len(cells)} cells instead of {len(self.columns)}")
        if self.layout.header and cells[0].lstrip(_MARK) == self.columns[0] and tuple(cells[1:]) == self.columns[1:]:
            return DataError(f"{name} is the header again")
        return cells[: len(self.columns)]


def find_layout(
    content: Content,
    *,
    separator: str | None = None,
    quotes: bool = True,
    header: bool | None = None,
    decimal: str | None = None,
) -> tuple[Layout, tuple[str, ...], tuple[str, ...]]:
    """Returns how the rows of a file are written, the names of its columns, and what should be known of that.

    Args:
        content: of the file.
        separator: if it is known; so are the others.
        quotes: whether double quotes enclose cells.
        header: whether the first row has names.
        decimal: what stands before fractions.

    Raises:
        DataError: there are no rows with two cells at least.
        InvalidInputError: a separator or decimal sign that is none.
    """
    _check_signs(separator, decimal)
    head = _head(content)
    if head and isinstance(object_in(head[0], content.encoding), dict):
        raise DataError(
            f"Expected rows of cells in {content.file.name}, found lines of JSON objects.",
            hint=f"If you mean these: jsonl:{content.file.name}",
        )
    named = _EXCEL.fullmatch(head[0].decode(content.encoding, "replace")) if head else None
    rows = {
        sign: _first_rows(head[bool(named) :], content, Layout(separator=sign, quotes=quotes))
        for sign in ([separator] if separator else [named[1]] if named else _SEPARATORS)
    }
    found = max(rows, key=lambda sign: _evenness(rows[sign]))
    best = [row for row in rows[found] if any(row)]
    if not best or (len(best[0]) < 2 and separator is None):
        raise DataError(
            f"Expected rows of two cells or more in {content.file.name}, found {_brief(best)}.",
            hint=_what_helps(head),
        )
    check_columns(len(best[0]), content.file.name)
    has_header = _has_header(best) if header is None else header
    body = best[has_header:]
    decimal = decimal or _decimal(body, found)
    layout = Layout(separator=found, quotes=quotes, header=has_header, decimal=decimal, skipped=int(bool(named)))
    columns, notes = _names(best[0]) if has_header else (_numbered(len(best[0])), [])
    if found != "," and separator is None:
        notes.append(f"cells are parted by {_NAMES.get(found, found)}")
    if decimal != "." and decimal is not None:
        notes.append("numbers have decimal commas")
    if not has_header and header is None:
        notes.append("there is no header: columns are called column_1, column_2, ... (if there is one: --header)")
    return layout, columns, tuple(notes)


def _what_helps(head: list[bytes]) -> str:
    """Returns what to do about a file in which no separator parts cells."""
    if head and head[0].lstrip().startswith((b"#", b"%")):
        return "Remove the lines of remarks before the header."
    return "Name what stands between the cells, such as: --separator ':'"


def _check_signs(separator: str | None, decimal: str | None) -> None:
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise InvalidInputError(f"Not a separator: {separator!r}.", hint="One character, e.g. --separator ';'")
    if decimal not in {None, ".", ","}:
        raise InvalidInputError(f"Not a decimal sign: {decimal!r}.", hint="Either . or ,")


def _head(content: Content) -> list[bytes]:
    """Returns the first lines, as many as are looked at, and no more once they are as long as a row may be."""
    lines, size = list[bytes](), 0
    for line in islice(content.lines(), _LOOKED_AT):
        lines.append(line)
        size += len(line)
        if size > ROW_BYTES:
            break
    return lines


def _first_rows(lines: list[bytes], content: Content, layout: Layout) -> list[list[str]]:
    """Returns the rows that whole lines hold; what a last, unfinished row or a fault cuts off is left out."""
    rows: list[list[str]] = []
    try:
        for _, _, cells in _split(iter(lines), content, layout):
            rows.append(cells)
    except DataError:
        pass
    return rows


def _evenness(rows: list[list[str]]) -> tuple[float, int, bool]:
    """Returns how well rows agree in how many cells they have, if that is more than one."""
    widths = Counter(len(row) for row in rows if any(row))
    if not widths:
        return 0.0, 0, False
    width, count = max(widths.items(), key=lambda one: (one[1], one[0]))
    return (count / widths.total() if width > 1 else 0.0), width, False


def _has_header(rows: list[list[str]]) -> bool:
    """Returns whether the first row is one of names: no number in it, where there are some below or all is text."""
    return not any(number_of(cell) is not None for cell in rows[0]) and any(rows[0])


def _decimal(rows: list[list[str]], separator: str) -> str:
    """Returns what stands before fractions: commas if there are such numbers, and none with a point."""
    cells = [cell for row in rows for cell in row]
    commas = separator != "," and any(_COMMA.fullmatch(cell) for cell in cells)
    return "," if commas and not any(_POINT.fullmatch(cell) and not _COMMA.fullmatch(cell) for cell in cells) else "."


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"column_{number}" for number in range(1, count + 1))


def _names(cells: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Returns distinct names of all columns, and which had none or a name twice."""
    while cells and not cells[-1]:
        cells = cells[:-1]  # each row ends with a separator
    names, unnamed, again = dict[str, None](), list[str](), list[str]()
    taken, counts = set(cells), Counter[str]()
    for number, cell in enumerate(cells, 1):
        name = plain = cell or f"column_{number}"
        while name in names or (name != plain and name in taken):
            counts[plain] += 1
            name = f"{plain}.{counts[plain] + 1}"
        (unnamed if not cell else again if name != plain else []).append(name)
        names[name] = None
    notes = [f"columns without a name are called {some(unnamed)}"] if unnamed else []
    return tuple(names), notes + ([f"columns of the same name are called {some(again)}"] if again else [])


def _split(lines: Iterator[bytes], content: Content, layout: Layout) -> Iterator[tuple[int, int, list[str]]]:
    """Yields the cells of each row, with how many bytes lie before it and its end.

    Raises:
        DataError: a line is not of the encoding, a quote is left open, or a row is too long.
    """
    taken, number, begun = 0, 0, 0

    def texts() -> Iterator[str]:
        nonlocal taken, number
        for line in lines:
            taken, number = taken + len(line), number + 1
            if taken - begun > ROW_BYTES:
                raise DataError(f"The row that ends after line {number} is longer than {ROW_BYTES} bytes.", hint=_OPEN)
            yield line.decode(content.encoding)

    reader = csv.reader(
        texts(),
        delimiter=layout.separator,
        quoting=csv.QUOTE_MINIMAL if layout.quotes else csv.QUOTE_NONE,
        skipinitialspace=True,
        strict=True,
    )
    try:
        for cells in reader:
            yield begun, taken, [cell.strip() for cell in cells]
            begun = taken
    except csv.Error as exc:
        raise DataError(f"{content.file.name}, line {number}: {exc}.", hint=_OPEN) from exc
    except UnicodeDecodeError as exc:
        raise DataError(
            f"{content.file.name}, line {number}: not {content.encoding} ({exc.reason}).",
            hint="Name the encoding of all lines: --encoding NAME",
        ) from exc


_OPEN = "A quote is left open or doubled wrongly near there; if quotes are plain characters: --no-quotes"


def _brief(rows: list[list[str]]) -> str:
    text = "; ".join(" ".join(row) for row in rows[:2])
    return (repr(text[:80]) + (" ..." if len(text) > 80 else "")) if text else "none"
