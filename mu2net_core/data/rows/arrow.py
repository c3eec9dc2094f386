"""Arrow's columns as rows: which are read, and each batch as lines of JSON, whatever file it came from."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from mu2net_core.data.rows.content import ROW_BYTES, Scratch
from mu2net_core.data.rows.embedded import Embedded
from mu2net_core.data.rows.features import Features, of_schema
from mu2net_core.data.rows.json_lines import JsonLinesFile
from mu2net_core.data.rows.row import check_columns
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError

__all__ = ["Columns", "Kept", "Opened", "pyarrow", "read_files"]

_TEXTS = frozenset({"string", "large_string", "string_view"})
_BYTES = frozenset({"binary", "large_binary"})
_AT_ONCE, _IMAGES_AT_ONCE = 4_096, 64
_encode = msgspec.json.Encoder().encode


def pyarrow() -> Any:
    """Returns the library.

    Raises:
        DataError: it is not installed.
    """
    try:
        import pyarrow as arrow
    except ImportError as exc:
        raise DataError("Reading Parquet and Arrow needs a package.", hint="pip install pyarrow") from exc
    return arrow


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept of columns beside their cells.

    Attributes:
        names: of the classes of columns.
        images: the columns that hold images.
    """

    names: dict[str, tuple[str, ...]]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a file that are read.

    Attributes:
        path: of the file.
        read: their names.
        left_out: those of others.
        kept: names of classes, and which columns hold images.
    """

    path: Path
    read: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: Kept

    @property
    def notes(self) -> tuple[str, ...]:
        """What should be known of how they are read."""
        if not self.left_out:
            return ()
        return (f"columns that hold lists, bytes or other nested values are left out: {some(self.left_out)}",)

    def lines(self, batch: Any, images: dict[str, list[str | None]]) -> bytes:
        """Returns rows as lines of JSON.

        Args:
            batch: of Arrow.
            images: what the cells of columns of images are.

        Raises:
            DataError: a class has a number and no name.
        """
        columns = [images[name] if name in images else self._cells(name, batch.column(name)) for name in self.read]
        return b"".join(_encode(dict(zip(self.read, row, strict=True))) + b"\n" for row in zip(*columns, strict=True))

    def _cells(self, name: str, column: Any) -> list[Any]:
        cells, names = _unpacked(column).to_pylist(), self.kept.names.get(name)
        return [_plain(cell) for cell in cells] if names is None else [self._named(cell, names, name) for cell in cells]

    def _named(self, cell: Any, names: Sequence[str], column: str) -> Any:
        """Returns the name of a class, or those of several; nothing for what has no class, which is -1."""
        if isinstance(cell, list):
            return [self._named(one, names, column) for one in cell]
        if cell is None or cell < 0:
            return None
        if cell >= len(names):
            raise DataError(f"{self.path} has the class {cell} in the column {column}, which has {len(names)} classes.")
        return names[cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file of Arrow's columns.

    Attributes:
        schema: of its columns.
        batches: returns its rows, of some columns, so many at once or as many as lie together.
        whole: Arrow's buffer of all of it, if it is mapped into memory.
    """

    schema: Any
    batches: Callable[[list[str], int], Iterable[Any]]
    whole: Any = None


def _columns_of(schema: Any, path: Path, features: Features | None, *, lists: Sequence[str], images: bool) -> Columns:
    """Returns the columns of a file that are read: those with a plain value in each cell, and some others.

    Args:
        schema: of Arrow.
        path: of the file.
        features: what is said of the columns.
        lists: columns that may hold lists, of labels.
        images: whether columns of images are read.

    Raises:
        DataError: there are none, too many, or several of one name.
    """
    check_columns(len(schema), str(path))
    said = features or Features()
    pictures = tuple(one.name for one in schema if images and _holds_images(one, said))
    read = tuple(one.name for one in schema if one.name in pictures or _is_read(one, lists))
    if not read or len(set(schema.names)) < len(schema):
        raise DataError(f"{path} has {'columns of the same name' if read else 'none but nested columns'}.")
    numbered = {one.name for one in schema if _is_whole(one.type) or (one.name in read and _is_whole_list(one.type))}
    names = {name: said.names[name] for name in read if name in said.names and name in numbered}
    left_out = tuple(name for name in schema.names if name not in read)
    return Columns(path=path, read=read, left_out=left_out, kept=Kept(names=names, images=pictures))


def read_files(
    paths: Sequence[Path],
    opened: Callable[[Path], AbstractContextManager[Opened]],
    scratch: Scratch,
    *,
    lists: Sequence[str],
    features: Features | None,
    embedded: Embedded | None,
) -> tuple[JsonLinesFile, Columns]:
    """Returns the rows of files, one after the other, as one of JSON Lines, and which of their columns these are.

    Args:
        paths: of the files.
        opened: opens one of them.
        scratch: where their rows are written to.
        lists: columns that may hold lists, of labels; other nested ones are left out.
        features: what is said of the columns elsewhere; None lets the files say.
        embedded: takes in the images that columns hold; None leaves these out.

    Raises:
        DataError: one cannot be read, or they differ in their columns.
    """

    def columns_in(path: Path, schema: Any) -> Columns:
        said = features or of_schema(schema.metadata)
        return _columns_of(schema, path, said, lists=lists, images=embedded is not None)

    def lines() -> Iterator[bytes]:
        for path in paths:
            with opened(path) as file:
                columns = columns_in(path, file.schema)
                _check_same(first, columns)
                yield from _lines(file, columns, embedded)

    try:
        with opened(paths[0]) as file:
            first = columns_in(paths[0], file.schema)
        content = scratch.written(lines(), paths[0])
    except (pyarrow().ArrowException, OSError, ValueError, OverflowError) as exc:
        where = paths[0] if len(paths) == 1 else paths[0].parent
        raise DataError(f"Cannot read {where}: {exc}.", hint="It is damaged or not all there: get it again.") from exc
    return JsonLinesFile(content=content, columns=first.read), first


def _check_same(first: Columns, other: Columns) -> None:
    if odd := sorted(set(first.read) ^ set(other.read)):
        raise DataError(f"{first.path} and {other.path} differ in their columns: {some(odd)} not in both.")
    if first.kept != other.kept:
        raise DataError(f"{first.path} and {other.path} differ in what their columns are.", hint="Get both again.")


def _lines(file: Opened, columns: Columns, embedded: Embedded | None) -> Iterator[bytes]:
    """Yields the rows of a file as lines of JSON.

    Raises:
        DataError: a row is too long, or a class has no name.
    """
    place = None
    if embedded is not None and columns.kept.images:
        place = embedded.place(columns.path, file.whole, is_copied=file.whole is None)
    for batch in file.batches(list(columns.read), _IMAGES_AT_ONCE if columns.kept.images else _AT_ONCE):
        batch.validate(full=True)  # what a file says of itself is not believed: it could lead anywhere in memory
        for start in range(0, batch.num_rows, _AT_ONCE):
            for part in _short(batch.slice(start, _AT_ONCE), columns):
                images = {} if place is None else {name: place.keys(part.column(name)) for name in columns.kept.images}
                yield columns.lines(part, images)


def _short(batch: Any, columns: Columns) -> Iterator[Any]:
    """Yields the rows of a batch, fewer at once where their texts are long: a file names a text once for many rows."""
    plain = [name for name in batch.schema.names if name not in columns.kept.images]
    size = sum(_num_bytes(batch.column(name)) for name in plain)
    if size <= ROW_BYTES:
        yield batch
    elif batch.num_rows < 2:
        raise DataError(f"{columns.path} has a row of more than {ROW_BYTES} bytes.")
    else:
        middle = batch.num_rows // 2
        yield from _short(batch.slice(0, middle), columns)
        yield from _short(batch.slice(middle), columns)


def _num_bytes(column: Any) -> int:
    """Returns how many bytes the texts of a column have together, if it holds any."""
    from pyarrow import compute, types

    if types.is_nested(column.type):
        return int(column.nbytes)
    is_shared = types.is_dictionary(column.type)
    texts = column.dictionary if is_shared else column
    if str(texts.type) not in _TEXTS:
        return 0
    lengths = compute.binary_length(texts)
    return compute.sum(lengths.take(column.indices) if is_shared else lengths).as_py() or 0


def _holds_images(field: Any, said: Features) -> bool:
    """Returns whether a column holds images: bytes that are said to be, or structs of ``bytes`` and ``path``."""
    kind = field.type
    if str(kind) in _BYTES:
        return field.name in said.images
    names = {one.name: str(one.type) for one in kind} if pyarrow().types.is_struct(kind) else {}
    known = field.name in said.images or not said.images
    return known and names.keys() == {"bytes", "path"} and names["bytes"] in _BYTES and names["path"] in _TEXTS


def _is_read(field: Any, lists: Sequence[str]) -> bool:
    kind, types = field.type, pyarrow().types
    is_list = types.is_list(kind) or types.is_large_list(kind)
    return _is_flat(kind) or (is_list and field.name in lists and _is_flat(kind.value_type))


def _is_flat(kind: Any) -> bool:
    types = pyarrow().types
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    return not (types.is_nested(kind) or is_bytes or isinstance(kind, pyarrow().BaseExtensionType))


def _is_whole(kind: Any) -> bool:
    return bool(pyarrow().types.is_integer(kind))


def _is_whole_list(kind: Any) -> bool:
    return pyarrow().types.is_nested(kind) and kind.num_fields == 1 and _is_whole(kind.field(0).type)


def _unpacked(column: Any) -> Any:
    """Returns a column as Python has its values: every text of its own, times in microseconds."""
    arrow = pyarrow()
    if arrow.types.is_dictionary(column.type):
        return column.dictionary_decode()
    if arrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(arrow.timestamp("us", column.type.tz), safe=False)
    return column


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it: dates as ISO 8601 writes them."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, Decimal) else value
