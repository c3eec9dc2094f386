"""Parquet as rows: batch after batch becomes JSON Lines in a temporary file, from which any row can be read alone."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.data.rows.content import ROW_BYTES, written
from mu2net_core.data.rows.json_lines import JsonLinesFile
from mu2net_core.data.rows.row import check_columns
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError

__all__ = ["open_parquet"]

_BATCH = 4_096
_TEXTS = {"string", "large_string", "string_view"}
_encode = msgspec.json.Encoder().encode


def open_parquet(path: Path, lists: Sequence[str] = ()) -> tuple[JsonLinesFile, tuple[str, ...]]:
    """Returns the rows of a Parquet file, and what should be known of how they are read.

    Args:
        path: of the file.
        lists: columns that may hold lists, of labels; other nested ones are left out.

    Raises:
        DataError: it is none, is damaged, or what reads it is not installed.
    """
    arrow, parquet = _library()
    with path.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if not head.startswith(b"PAR1"):
        raise DataError(
            f"Expected a Parquet file, found {what_is_it(head) or 'another'}: {path}.", hint=what_helps(head)
        )
    try:
        schema = parquet.read_schema(path)
        check_columns(len(schema), str(path))
        columns = [field.name for field in schema if _is_read(arrow, field, lists)]
        if not columns or len(set(columns)) < len(columns):
            raise DataError(f"{path} has {'columns of the same name' if columns else 'none but nested columns'}.")
        texts = [field.name for field in schema if str(field.type) in _TEXTS]
        with parquet.ParquetFile(path, read_dictionary=texts, coerce_int96_timestamp_unit="us") as file:
            batches = file.iter_batches(batch_size=_BATCH, columns=columns)
            content = written((_lines(part, arrow) for batch in batches for part in _parts(batch, arrow, path)), path)
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as exc:
        raise DataError(f"Cannot read {path}: {exc}.", hint="It is damaged or not all there: get it again.") from exc
    left_out = [field.name for field in schema if not _is_read(arrow, field, lists)]
    notes = (f"columns that hold lists or other nested values are left out: {some(left_out)}",) if left_out else ()
    return JsonLinesFile(content=content, columns=tuple(columns)), notes


def _library() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise DataError("Reading Parquet needs a package.", hint="pip install pyarrow") from exc
    return pyarrow, pyarrow.parquet


def _is_read(arrow: Any, field: Any, lists: Sequence[str]) -> bool:
    kind, types = field.type, arrow.types
    is_list = types.is_list(kind) or types.is_large_list(kind)
    return _is_flat(arrow, kind) or (is_list and field.name in lists and _is_flat(arrow, kind.value_type))


def _is_flat(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    return not (types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _parts(batch: Any, arrow: Any, path: Path) -> Iterator[Any]:
    """Yields the rows of a batch, fewer at once where their texts are long: a file names a text once for many rows.

    Raises:
        DataError: a row is too long.
    """
    size = sum(_num_bytes(column, arrow) for column in batch.columns)
    if size <= ROW_BYTES:
        yield batch
    elif batch.num_rows < 2:
        raise DataError(f"{path} has a row of more than {ROW_BYTES} bytes.")
    else:
        middle = batch.num_rows // 2
        yield from _parts(batch.slice(0, middle), arrow, path)
        yield from _parts(batch.slice(middle), arrow, path)


def _num_bytes(column: Any, arrow: Any) -> int:
    """Returns how many bytes the texts of a column have together, if it holds any."""
    from pyarrow import compute

    if arrow.types.is_nested(column.type):
        return int(column.nbytes)
    is_shared = arrow.types.is_dictionary(column.type)
    texts = column.dictionary if is_shared else column
    if str(texts.type) not in _TEXTS:
        return 0
    lengths = compute.binary_length(texts)
    return compute.sum(lengths.take(column.indices) if is_shared else lengths).as_py() or 0


def _lines(batch: Any, arrow: Any) -> bytes:
    """Returns rows as lines of JSON."""
    columns = ([_plain(value) for value in _unpacked(column, arrow).to_pylist()] for column in batch.columns)
    rows = zip(*columns, strict=True)
    return b"".join(_encode(dict(zip(batch.schema.names, row, strict=True))) + b"\n" for row in rows)


def _unpacked(column: Any, arrow: Any) -> Any:
    """Returns a column as Python has its values: every text of its own, times in microseconds."""
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
