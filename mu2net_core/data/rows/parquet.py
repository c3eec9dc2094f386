"""Parquet as rows: batch after batch becomes JSON Lines in a temporary file, from which any row can be read alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.data.rows.arrow import Opened, pyarrow
from mu2net_core.errors import DataError

__all__ = ["opened_parquet"]

_BUFFER = 2**20
_TEXTS = {"string", "large_string", "string_view"}


@contextmanager
def opened_parquet(path: Path) -> Iterator[Opened]:
    """Opens a Parquet file.

    Raises:
        DataError: it is none, or what reads it is not installed.
    """
    pyarrow()
    from pyarrow import parquet

    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(b"PAR1"):
        raise DataError(
            f"Expected a Parquet file, found {what_is_it(head) or 'another'}: {path}.", hint=what_helps(head)
        )
    schema = parquet.read_schema(path)
    texts = [field.name for field in schema if str(field.type) in _TEXTS]

    def batches(columns: list[str], rows: int) -> Iterable[Any]:
        options = {"read_dictionary": texts, "coerce_int96_timestamp_unit": "us", "buffer_size": _BUFFER}
        with parquet.ParquetFile(path, **options) as file:
            yield from file.iter_batches(batch_size=rows, columns=columns)

    yield Opened(schema=schema, batches=batches)
