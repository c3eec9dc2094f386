"""Parquet as rows: batch after batch becomes JSON Lines in a temporary file, from which any row can be read alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it
from mu2net_core.data.rows.arrow import Columns, columns_of, lines_of, pyarrow
from mu2net_core.data.rows.content import written
from mu2net_core.data.rows.embedded import Copied, Embedded
from mu2net_core.data.rows.features import Features, of_schema
from mu2net_core.data.rows.json_lines import JsonLinesFile
from mu2net_core.errors import DataError

__all__ = ["open_parquet"]

_BATCH, _IMAGES = 4_096, 64
_BUFFER = 2**20


def open_parquet(
    path: Path,
    lists: Sequence[str] = (),
    *,
    features: Features | None = None,
    embedded: Embedded | None = None,
) -> tuple[JsonLinesFile, Columns]:
    """Returns the rows of a Parquet file, and which of its columns these are.

    Args:
        path: of the file.
        lists: columns that may hold lists, of labels; other nested ones are left out.
        features: what is said of the columns elsewhere; None lets the file say.
        embedded: takes in the images that columns hold; None leaves these out.

    Raises:
        DataError: it is none, is damaged, or what reads it is not installed.
    """
    arrow = pyarrow()
    from pyarrow import parquet

    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(b"PAR1"):
        raise DataError(
            f"Expected a Parquet file, found {what_is_it(head) or 'another'}: {path}.", hint=what_helps(head)
        )
    try:
        schema = parquet.read_schema(path)
        said = features or of_schema(schema.metadata)
        columns = columns_of(schema, path, said, lists=lists, images=embedded is not None)
        texts = [field.name for field in schema if str(field.type) in {"string", "large_string", "string_view"}]
        size, buffer = (_IMAGES, _BUFFER) if columns.kept.images else (_BATCH, 0)
        opened = parquet.ParquetFile(path, read_dictionary=texts, coerce_int96_timestamp_unit="us", buffer_size=buffer)
        with opened as file, Copied(path) as images:
            batches = file.iter_batches(batch_size=size, columns=list(columns.read))
            content = written(lines_of(batches, columns, embedded, images), path)
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as exc:
        raise DataError(f"Cannot read {path}: {exc}.", hint="It is damaged or not all there: get it again.") from exc
    return JsonLinesFile(content=content, columns=columns.read), columns
