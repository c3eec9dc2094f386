"""Rows of tables as people give them: files of rows, JSON objects, and mappings of columns to cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mu2net_core.api.models.pictures import STDIN, Unreadable
from mu2net_core.data import is_of_rows, read_object, read_rows, split_uri
from mu2net_core.errors import DataError, InvalidInputError, Mu2netError
from mu2net_core.objects import Limits, Table, Task

__all__ = ["Given", "Record", "find_records"]

Given = Path | str | bytes | Mapping[str, object]
"""A file of rows, a JSON object in text, such objects in bytes, one on each line, or a row's cells by their columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A row to be read.

    Attributes:
        name: what it is told of as: its file and number, or its JSON.
        data: a JSON object of its cells by their columns.
    """

    name: str
    data: bytes


def find_records(
    given: Given | Iterable[Given], task: Task, *, folder: Path, limits: Limits, warn: Callable[[str], None]
) -> Iterator[Record | Unreadable]:
    """Yields the rows that are given, one after the other; what is none is told in its place.

    A file of which nothing can be read is told once.

    Args:
        given: by the user.
        task: whose columns they have; files are written as its own.
        folder: from which relative paths start.
        limits: of this machine.
        warn: told which columns a file has not.
    """
    single = isinstance(given, (Path, str, bytes, Mapping))
    for one in [given] if single else given:  # type: ignore[union-attr]
        if isinstance(one, Mapping):
            yield _of_object(json.dumps(dict(one), default=_plain), task)
        elif isinstance(one, bytes):
            lines = enumerate(map(str.strip, one.decode("utf-8", "replace").split("\n")), 1)
            yield from (_of_object(line, task, f"line {number}") for number, line in lines if line)
        elif isinstance(one, str) and one.lstrip().startswith("{"):
            yield _of_object(one, task)
        else:
            yield from _of_file(str(one), task, folder, limits, warn)


def _of_file(
    name: str, task: Task, folder: Path, limits: Limits, warn: Callable[[str], None]
) -> Iterator[Record | Unreadable]:
    """Yields the rows of a file, and what ended the reading of it, if something did."""
    try:
        yield from _rows_in(name, task, folder, limits, warn)
    except Mu2netError as exc:
        yield Unreadable(name=name, path=Path(name), error=exc, what="row")


def _rows_in(
    name: str, task: Task, folder: Path, limits: Limits, warn: Callable[[str], None]
) -> Iterator[Record | Unreadable]:
    scheme, rest = split_uri(name)
    if not is_of_rows(f"{scheme}:"):
        raise InvalidInputError(
            f"Not rows: {name!r}.", hint="Name a file of rows, such as new.csv, or give a JSON object of one."
        )
    told = False
    for place, columns, data in read_rows(scheme, folder / Path(rest).expanduser(), task.options, limits):
        _check(columns, task, place)
        if not told and (lacking := [column for column in _wanted(task) if column not in columns]):
            warn(f"{name} has no column {', '.join(lacking[:10])}: empty in every row")
        told = True
        if isinstance(data, DataError):
            yield Unreadable(name=place, path=Path(STDIN), error=data, what="row")
        else:
            yield Record(name=place, data=data)


def _of_object(text: str, task: Task, place: str | None = None) -> Record | Unreadable:
    """Returns a row of JSON; of several, ``place`` says in messages which one it is."""
    try:
        columns, data = read_object(text)
        _check(columns, task, text[:80])
    except DataError as exc:
        told = exc if place is None else DataError(f"{place}: {exc.message}", hint=exc.hint)
        return Unreadable(name=place or text[:80], path=Path(STDIN), error=told, what="row")
    return Record(name=text, data=data)


def _plain(value: object) -> object:
    """Returns what JSON has no form for as something that it has one for."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _check(columns: Iterable[str], task: Task, place: str) -> None:
    """Checks that a row has some of the columns that count; one that it has not is an empty cell."""
    wanted = _wanted(task)
    if not set(wanted) & set(columns):
        raise DataError(f"{place} has none of the columns of {task.name}: {', '.join(wanted[:10])}.")


def _wanted(task: Task) -> list[str]:
    return [column.name for column in task.input.columns] if isinstance(task.input, Table) else []
