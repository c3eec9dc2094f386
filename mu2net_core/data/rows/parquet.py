"""Parquet as rows: batch after batch becomes JSON Lines in a temporary file, from which any row can be read alone."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.data.rows.content import written
from mu2net_core.data.rows.json_lines import JsonLinesFile
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError

__all__ = ["open_parquet"]

_BATCH = 4_096
_encode = msgspec.json.Encoder().encode


def open_parquet(path: Path) -> tuple[JsonLinesFile, tuple[str, ...]]:
    """Returns the rows of a Parquet file, and what should be known of how they are read.

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
        with parquet.ParquetFile(path) as file:
            columns = [field.name for field in file.schema_arrow if _is_flat(arrow, field.type)]
            left_out = [field.name for field in file.schema_arrow if field.name not in columns]
            if len(set(columns)) < len(columns):
                raise DataError(f"{path} has columns of the same name.")
            content = written(_lines(file.iter_batches(batch_size=_BATCH, columns=columns)), path)
    except (arrow.ArrowException, OSError) as exc:
        raise DataError(f"Cannot read {path}: {exc}.", hint="It is damaged or not all there: get it again.") from exc
    notes = (f"columns that hold lists or other nested values are left out: {some(left_out)}",) if left_out else ()
    return JsonLinesFile(content=content, columns=tuple(columns)), notes


def _library() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise DataError("Reading Parquet needs a package.", hint="pip install pyarrow") from exc
    return pyarrow, pyarrow.parquet


def _is_flat(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    return not (types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _lines(batches: Iterator[Any]) -> Iterator[bytes]:
    for batch in batches:
        lines = (_encode({name: _plain(value) for name, value in row.items()}) for row in batch.to_pylist())
        yield b"".join(line + b"\n" for line in lines)


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it: dates as ISO 8601 writes them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, Decimal) else value
