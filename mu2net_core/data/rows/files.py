"""The rows of one or several files by number: the places of some are kept in memory, no row."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Protocol

from mu2net_core.data.rows.arrow import read_files
from mu2net_core.data.rows.content import Content, Scratch, open_content
from mu2net_core.data.rows.embedded import Embedded
from mu2net_core.data.rows.features import Features
from mu2net_core.data.rows.json_lines import JsonLinesFile, find_columns
from mu2net_core.data.rows.parquet import opened_parquet
from mu2net_core.data.rows.pictures import Pictures
from mu2net_core.data.rows.row import Row
from mu2net_core.data.rows.saved import opened_arrow
from mu2net_core.data.rows.separated import SeparatedFile, find_layout
from mu2net_core.data.rows.target import USUAL, named_targets
from mu2net_core.data.source import Options
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError

__all__ = ["COLUMNAR", "Files", "IndexedFile", "Opened", "open_columns", "open_file"]

_LAYOUT_OPTIONS: Mapping[str, type] = {"separator": str, "quotes": bool, "header": bool, "decimal": str}
"""Those of CSV alone, as a task's options call them, and of what kind each is."""

COLUMNAR = {"parquet": opened_parquet, "datasets": opened_arrow}
"""What opens files of columns, by the scheme that reads them."""

_MOST_PLACES = 2**20
"""Places in a file that are kept, of 8 bytes each: of every row, or of every second, fourth, ..."""


class _File(Protocol):
    @property
    def content(self) -> Content: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def scan(self) -> Iterator[tuple[int, int, Row | DataError]]: ...

    def parse(self, data: bytes, /) -> Iterator[Row | DataError]: ...


class IndexedFile:
    """One file, whose rows can be read by number once all were read in order.

    Args:
        path: of the file.
        file: its rows.
        skip_bad: leave out what is no row, instead of refusing the file.
    """

    def __init__(self, path: Path, file: _File, *, skip_bad: bool) -> None:
        self.path, self.columns = path, file.columns
        self._file, self._skip_bad = file, skip_bad
        self._starts, self._stop, self._stride = array("q"), 0, 1
        self.count = 0
        self.skipped: tuple[str, ...] = ()

    def scan(self) -> Iterator[Row]:
        """Yields all rows in order, and notes where they lie.

        Raises:
            DataError: some are none; at most a few of them are named.
        """
        starts, bad = array("q"), list[str]()
        count, self._stride = 0, 1
        for start, stop, row in self._file.scan():
            if isinstance(row, DataError):
                bad.append(row.message)
                continue
            if count % self._stride == 0:
                if len(starts) == _MOST_PLACES:
                    starts, self._stride = starts[::2], 2 * self._stride
                starts.append(start)
            count, self._stop = count + 1, stop
            yield row
        if bad and not self._skip_bad:
            raise DataError(
                f"{self.path}: {some(bad)}.",
                hint=f"Repair {'it' if len(bad) == 1 else 'them'}, or leave what is no row out: --skip-bad",
            )
        self._starts, self.count, self.skipped = starts, count, tuple(f"{self.path.name}: {what}" for what in bad)

    def each(self) -> Iterator[Row | DataError]:
        """Yields all rows in order, and in the place of what is none what is wrong with it."""
        return (row for _, _, row in self._file.scan())

    def first(self, count: int) -> list[Row]:
        """Returns the first rows."""
        return list(islice((row for row in self.each() if not isinstance(row, DataError)), count))

    def changed(self, change: Callable[[_File], _File], path: Path | None = None) -> IndexedFile:
        """Returns the same with its rows changed, or called by another path."""
        return IndexedFile(path or self.path, change(self._file), skip_bad=self._skip_bad)

    def block(self, number: int) -> range:
        """Returns the numbers of the rows that are read together with one."""
        begin = number // self._stride * self._stride
        return range(begin, min(begin + self._stride, self.count))

    def read(self, block: range) -> list[Row]:
        """Returns the rows of such numbers."""
        place = block.start // self._stride
        stop = self._starts[place + 1] if place + 1 < len(self._starts) else self._stop
        data = self._file.content.read(self._starts[place], stop)
        rows = [row for row in self._file.parse(data) if not isinstance(row, DataError)]
        if len(rows) != len(block):
            raise DataError(f"{self.path} changed while it was read.")
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Several files of the same columns, one after the other.

    Attributes:
        parts: each with the name of the split that it is of, or a part of; of all rows the empty string.
        notes: how they are read.
        options: what was found of how they are written, to be kept with the task.
        names: of the classes of columns that say them in their order, by the name of the column.
        holding: the columns that hold images, which need no file of their own.
        embedded: where these are.
        target: the column that is to be learned if nobody says which; None lets its name say.
        skipped: rows that were left out on request before they were rows.
        image: the column that names images, which go in; None if none does.
        pictures: where these are.
    """

    parts: Sequence[tuple[str, IndexedFile]]
    notes: tuple[str, ...]
    options: Options
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    holding: tuple[str, ...] = ()
    embedded: Embedded | None = None
    target: str | None = None
    skipped: tuple[str, ...] = ()
    image: int | None = None
    pictures: Pictures | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.parts[0][1].columns

    def scan(self) -> Iterator[tuple[str, Row]]:
        """Yields all rows in order, each with the split of its file."""
        for split, file in self.parts:
            order = _order(file, self.columns)
            for row in file.scan():
                yield split, row if order is None else [row[place] for place in order]

    def rows(self, numbers: Sequence[int]) -> Iterator[tuple[str, Row]]:
        """Yields the rows of some numbers, counted from 0 over all files, each with what it is called."""
        files = [file for _, file in self.parts]
        starts = [0, *accumulate(file.count for file in files)]
        orders = [_order(file, self.columns) for file in files]
        held: tuple[int, range, list[Row]] = (-1, range(0), [])
        for number in numbers:
            which = bisect_right(starts, number) - 1
            file, inside = files[which], number - starts[which]
            if which != held[0] or inside not in held[1]:
                block = file.block(inside)
                held = which, block, file.read(block)
            row, order = held[2][inside - held[1].start], orders[which]
            yield f"{file.path.name} row {inside + 1}", row if order is None else [row[place] for place in order]


def _order(file: IndexedFile, columns: Sequence[str]) -> list[int] | None:
    """Returns where a file has the columns; None if it has them in just that order."""
    if file.columns == columns:
        return None
    places = {name: place for place, name in enumerate(file.columns)}
    return [places[name] for name in columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file whose rows were opened, or several of one split.

    Attributes:
        rows: of it.
        notes: how they are read.
        options: what was found of how they are written.
        names: of the classes of columns that say them in their order.
        holding: the columns that hold images.
    """

    rows: IndexedFile
    notes: tuple[str, ...] = ()
    options: Options = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    holding: tuple[str, ...] = ()


def open_file(scheme: str, path: Path, options: Options, scratch: Scratch) -> Opened:
    """Returns the rows of a file, and how they are read; columns of images in them are left out.

    Args:
        scheme: ``csv``, ``jsonl``, ``parquet``, or ``datasets`` of a file of Arrow.
        path: of the file.
        options: of the source.
        scratch: where it is written to if it cannot be read as it lies.

    Raises:
        DataError: it is no such file.
        InvalidInputError: an option that cannot be right.
    """
    if scheme in COLUMNAR:
        return open_columns(scheme, [path], path, options, scratch)
    skip_bad = bool(options.get("skip_bad", False))
    content = open_content(path, scratch, str(options["encoding"]) if "encoding" in options else None)
    if scheme == "jsonl":
        file: _File = JsonLinesFile(content=content, columns=find_columns(content))
        return Opened(rows=IndexedFile(path, file, skip_bad=skip_bad), notes=content.notes)
    known: dict[str, Any] = {name: kind(options[name]) for name, kind in _LAYOUT_OPTIONS.items() if name in options}
    layout, names, notes = find_layout(content, **known)
    found: Options = {name: getattr(layout, name) for name in _LAYOUT_OPTIONS}
    file = SeparatedFile(content=content, layout=layout, columns=names)
    return Opened(rows=IndexedFile(path, file, skip_bad=skip_bad), notes=(*content.notes, *notes), options=found)


def open_columns(
    scheme: str,
    paths: Sequence[Path],
    name: Path,
    options: Options,
    scratch: Scratch,
    *,
    features: Features | None = None,
    embedded: Embedded | None = None,
) -> Opened:
    """Returns the rows of files of columns, one after the other, and how they are read.

    Args:
        scheme: ``parquet`` or ``datasets``.
        paths: of the files, which are of one split.
        name: what they are called together.
        options: of the source.
        scratch: where their rows are written to.
        features: what is said of their columns elsewhere.
        embedded: takes in images that columns hold; None leaves them out.

    Raises:
        DataError: one is no such file, or they differ in their columns.
    """
    target = str(options["target"]) if "target" in options else None
    lists = USUAL if target is None else (target, *named_targets(target))
    file, columns = read_files(paths, COLUMNAR[scheme], scratch, lists=lists, features=features, embedded=embedded)
    return Opened(
        rows=IndexedFile(name, file, skip_bad=bool(options.get("skip_bad", False))),
        notes=columns.notes,
        names=columns.kept.names,
        holding=columns.kept.images,
    )
