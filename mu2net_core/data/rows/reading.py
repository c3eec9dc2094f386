"""The rows of a file as they are, without anything that is to be learned from them: to be asked about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mu2net_core.data.places import check_place
from mu2net_core.data.rows.content import Scratch
from mu2net_core.data.rows.files import open_file
from mu2net_core.data.rows.json_lines import cell_of, object_in
from mu2net_core.data.rows.row import encoded
from mu2net_core.data.source import Options
from mu2net_core.errors import DataError
from mu2net_core.objects import LIMITS, Limits

__all__ = ["read_object", "read_rows"]


def read_rows(
    scheme: str, path: Path, options: Options, limits: Limits = LIMITS
) -> Iterator[tuple[str, Sequence[str], bytes | DataError]]:
    """Yields what each row is called, the names of its columns, and its cells by these as a JSON object.

    In the place of the cells of what is no row is what is wrong with it.

    Args:
        scheme: ``csv``, ``jsonl`` or ``parquet``.
        path: of the file.
        options: of the task whose rows they are like.
        limits: of this machine.

    Raises:
        NotFoundError: there is no such file.
        DataError: it cannot be read.
    """
    check_place(scheme, path)
    file = open_file(scheme, path, options, Scratch(limits)).rows
    for number, row in enumerate(file.each(), 1):
        place = f"{path.name} row {number}"
        if isinstance(row, DataError):
            what = row.message.split(" ", 2)[2]  # behind the number that it has in the file, the header counted
            yield place, file.columns, DataError(f"{place} {what}.")
        else:
            yield place, file.columns, encoded(file.columns, row)


def read_object(text: str) -> tuple[Sequence[str], bytes]:
    """Returns the names of a row's columns, and its cells by these as a JSON object, as a line of a file is read.

    Raises:
        DataError: the text is no JSON object.
    """
    found = object_in(text.encode("utf-8", "surrogatepass"), "utf-8")
    if isinstance(found, str):
        raise DataError(f"Not a JSON object: {text[:80]!r} {found}.", hint='Example: {"age": 31, "colour": "red"}')
    return tuple(found), encoded(tuple(found), [cell_of(value) for value in found.values()])
