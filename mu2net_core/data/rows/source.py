"""Rows of which columns are learned from others: ``csv:``, ``jsonl:``, ``parquet:``, ``datasets:``, ``webdataset:``.

A path is a file, or a folder of files called as splits (``folders.py``). Rows come out as JSON objects of
the chosen columns' cells, for tables, or as the text of the one column that holds text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mu2net_core.data.rows.files import Files
from mu2net_core.data.rows.folders import MEANT, open_files
from mu2net_core.data.rows.guessing import LONGEST, LOOKED_AT, guessed
from mu2net_core.data.rows.images import with_images
from mu2net_core.data.rows.labels import NONE, Flags, LabelSets
from mu2net_core.data.rows.row import Cell, Row, encoded, text_of
from mu2net_core.data.rows.shares import fair_rows, grouped, parted, shares_of, timed
from mu2net_core.data.rows.target import Coded, Column, find_column, find_targets
from mu2net_core.data.rows.times import Times
from mu2net_core.data.source import Options, SourceInfo, Stored, StoredExamples
from mu2net_core.data.wording import counted, some
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import SPLITS, Limits, Output, Slice

__all__ = ["RowSource", "open_csv", "open_datasets", "open_jsonl", "open_parquet", "open_webdataset"]

_AT_ONCE = 4_096
_MOST_SPLITS, _MOST_GROUPS = 1_000, 10_000_000
"""Different values of the columns that name splits, and groups."""

_METRICS = {"classes": "accuracy", "labels": "map", "number": "r2"}


class RowSource:
    """The rows of a file, or of a folder of files.

    Args:
        scheme: ``csv``, ``jsonl``, ``parquet``, ``datasets`` or ``webdataset``.
        path: of the file or folder.
        options: as a task keeps them: ``target`` (a column, or several of 0 and 1 as a JSON list), ``columns`` and
            ``leave_out`` (JSON lists of names), ``split_by``, ``group_by``, ``time_by`` and ``image`` (columns),
            ``output`` (``classes``, ``labels`` or ``number``), ``label_separator``, ``skip_bad``, and how CSV is
            written.
        limits: of this machine.
        files: that rows are read from, if somebody opened them already.
    """

    def __init__(
        self, scheme: str, path: Path, options: Options, limits: Limits, *, files: Files | None = None
    ) -> None:
        self.uri = f"{scheme}:{path}"
        self._files = files or with_images(open_files(scheme, path, options, limits), path, options)
        columns = self._files.columns
        places = _places_of(options, columns, self._files.target, str(path))
        names = [columns[place] for place in places.targets]
        decimal = str(self._files.options.get("decimal", "."))
        learned = _target(names, decimal, _text(options, "output"), self._files.names)
        time = None if places.time_by is None else Times(columns[places.time_by], decimal)
        self._image = self._files.image
        self._places = _inputs(options, columns, places.others()) if self._image is None else (self._image,)
        self._names = tuple(columns[place] for place in self._places)
        found = _scan(self._files, learned, time, places)
        self._output, self._labels, note, pinned = _learned(learned, _text(options, "label_separator"))
        self._rows, notes = _splits(found, self._labels)
        guess = guessed(self._names, [found.sample[place] for place in self._places], said="columns" in options)
        if self._image is None and guess.text is not None:
            self._places, self._names = (self._places[guess.text],), (self._names[guess.text],)
        self._input = "image" if self._image is not None else "table" if guess.text is None else "text"
        hint = guess.note if self._image is None else None
        of_images = self._files.pictures.note() if self._files.pictures else None
        unlabelled = _unlabelled(self._labels, learned.name)
        self._notes = tuple(filter(None, (*self._files.notes, of_images, hint, note, *notes, unlabelled)))
        target = names[0] if len(names) == 1 else json.dumps(names, ensure_ascii=False)
        alone = (
            {}
            if self._image is not None or guess.note is None or guess.text is None
            else {"columns": json.dumps(list(self._names), ensure_ascii=False)}
        )
        self._options = {**options, **self._files.options, **pinned, **alone, "target": target}
        skipped = (name for _, file in self._files.parts for name in file.skipped)
        self._skipped = (*self._files.skipped, *skipped)

    def info(self) -> SourceInfo:
        """Returns splits, what is learned, and how the rows were read."""
        return SourceInfo(
            splits={split: len(rows) for split, rows in self._rows.items() if len(rows)},
            output=self._output,
            metric=_METRICS[self._output.kind],
            input=self._input,
            options=self._options,
            skipped=self._skipped,
            notes=self._notes,
        )

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields rows: JSON objects of a table's cells, or UTF-8 text."""
        for part in slices:
            yield from self._many(part.split, range(part.start, part.stop))

    def examples(self, slices: Sequence[Slice]) -> StoredExamples:
        """Returns the same rows by number."""
        return StoredExamples(slices, lambda split, index: next(self._many(split, [index])), self._many)

    def _many(self, split: str, indices: Sequence[int]) -> Iterator[Stored]:
        rows = self._rows[split]
        numbers = rows[indices.start : indices.stop] if isinstance(indices, range) else rows[list(indices)]
        labels = self._labels_of(numbers)
        for (name, row), label in zip(self._files.rows(numbers.tolist()), labels, strict=True):
            if self._image is None or self._files.pictures is None:
                yield Stored(name=name, input=self._taken(row), label=label)
            else:
                key = str(row[self._image])
                place = self._files.pictures.path(key)
                yield Stored(name=str(place or name), input=self._files.pictures.read(key), label=label)

    def _labels_of(self, numbers: np.ndarray) -> Iterator[float | list[float]]:
        """Yields the labels of rows; of several labels each, those of a few rows are held."""
        for start in range(0, len(numbers), _AT_ONCE):
            yield from self._labels[numbers[start : start + _AT_ONCE]].tolist()

    def _taken(self, row: Row) -> bytes:
        if self._input == "text":
            return _as_text(row[self._places[0]]).encode("utf-8", "surrogatepass")
        return encoded(self._names, [row[place] for place in self._places])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Which columns say something of rows, besides those that go in.

    Attributes:
        targets: to be learned.
        split_by: of whose values each is a split.
        group_by: of whose values each is in one split only.
        time_by: by which the newest rows test.
    """

    targets: tuple[int, ...]
    split_by: int | None
    group_by: int | None
    time_by: int | None

    def others(self) -> set[int | None]:
        """Returns all of them: none goes in."""
        return {*self.targets, self.split_by, self.group_by, self.time_by}


def _places_of(options: Options, columns: Sequence[str], target: str | None, path: str) -> _Places:
    """Returns the columns that options name; ``target`` is learned if they say nothing.

    Raises:
        InvalidInputError: there is none of such a name, or rows are to be split by groups and by time.
        DataError: it is not said which is to be learned, and none is called so.
    """
    targets = find_targets(_text(options, "target") or target, columns, path)
    split_by, group_by, time_by = (_place(options, name, columns) for name in ("split_by", "group_by", "time_by"))
    if group_by is not None and time_by is not None:
        raise InvalidInputError("Rows are split either by groups or by time: --group-by or --time-by, not both.")
    return _Places(targets=targets, split_by=split_by, group_by=group_by, time_by=time_by)


class _Scan:
    """What all rows were read for once."""

    def __init__(self, split: Coded, group: Coded | None, time: Times | None) -> None:
        self.split, self.group, self.time = split, group, time
        self.sample: Sequence[list[Cell]] = ()


def _target(
    names: Sequence[str], decimal: str, wanted: str | None, known: Mapping[str, tuple[str, ...]]
) -> Column | Flags:
    """Returns what takes in what is to be learned; ``known`` are the classes of columns that say them.

    Raises:
        InvalidInputError: several columns, of which something else than labels is wanted.
    """
    if len(names) == 1:
        return Column(names[0], decimal, wanted, known.get(names[0]))
    if wanted not in {None, "labels"}:
        raise InvalidInputError(f"Several columns are several labels, not {wanted}.", hint="--output labels")
    return Flags(names, decimal)


def _learned(
    target: Column | Flags, separator: str | None
) -> tuple[Output, np.ndarray | LabelSets, str | None, dict[str, str]]:
    """Returns what comes out of models, the label of each row, what should be known of that, and what was found."""
    sets = target.labels() if isinstance(target, Flags) else target.labels(separator)
    if sets is not None:
        pinned = {"output": "labels", **({} if sets.separator is None else {"label_separator": sets.separator})}
        return sets.output, sets, sets.note, pinned
    if separator is not None or isinstance(target, Flags):
        raise InvalidInputError("A separator of labels is for labels.", hint="--output labels")
    return *target.output(), {}


def _scan(files: Files, target: Column | Flags, time: Times | None, places: _Places) -> _Scan:
    """Reads all rows once, and returns what they say besides what is to be learned, which ``target`` takes in.

    Args:
        files: of the rows.
        target: takes in what is to be learned.
        time: takes in when rows are of; None where that does not matter.
        places: of the columns.
    """
    columns, split_by, group_by = files.columns, places.split_by, places.group_by
    found = _Scan(
        Coded("of the splits" if split_by is None else columns[split_by], most=_MOST_SPLITS),
        None if group_by is None else Coded(columns[group_by], most=_MOST_GROUPS),
        time,
    )
    found.sample = [[] for _ in columns]
    for number, (file, row) in enumerate(files.scan()):
        if isinstance(target, Flags):
            target.add([row[place] for place in places.targets])
        else:
            target.add(row[places.targets[0]])
        found.split.add(file if split_by is None else row[split_by])
        if found.group is not None and group_by is not None:
            found.group.add(row[group_by])
        if time is not None and places.time_by is not None:
            time.add(row[places.time_by])
        if number < LOOKED_AT:
            for cells, cell in zip(found.sample, row, strict=True):
                cells.append(cell[:LONGEST] if isinstance(cell, str) else cell)
    return found


def _known(labels: np.ndarray | LabelSets) -> np.ndarray:
    """Returns bool [N], of which rows the label is known."""
    if isinstance(labels, LabelSets):
        return labels.known
    return np.asarray(labels != NONE if labels.dtype.kind == "i" else ~np.isnan(labels))


def _splits(found: _Scan, labels: np.ndarray | LabelSets) -> tuple[dict[str, np.ndarray], list[str]]:
    """Returns the numbers of the rows of each split, and what should be known of how they were found."""
    known = _known(labels)
    order = fair_rows(len(known))
    order = order[known[order]]
    codes = np.frombuffer(found.split.codes, np.int32)
    rows: dict[str, np.ndarray] = {}
    for value, code in found.split.values.items():
        meant = MEANT.get(value.casefold(), value)
        both = (rows[meant], order[codes[order] == code]) if meant in rows else (order[codes[order] == code],)
        rows[meant] = np.concatenate(both)
    notes = []
    if found.split.values and (lost := int((codes[order] == NONE).sum())):
        notes.append(
            f"{counted(lost, 'row')} without a value of {found.split.name} {'is' if lost == 1 else 'are'} left out"
        )
    shared = rows.get("train") if found.split.values else order
    if shared is None:
        return rows, notes
    missing = tuple(name for name in ("test", "validation") if not len(rows.get(name, ())))
    shares = shares_of(len(shared), missing=missing)
    if found.time is not None:
        by_time = timed(shared, found.time.values(), shares)
        return {**rows, **by_time}, [*notes, *_time_notes(found.time, by_time)]
    if found.group is None:
        found_parts = labels.parted(shared, shares) if isinstance(labels, LabelSets) else parted(shared, labels, shares)
        return {**rows, **found_parts}, notes
    groups = np.frombuffer(found.group.codes, np.int32)
    if not missing and (torn := _torn(groups, rows)):
        notes.append(
            f"{counted(torn, 'value')} of {found.group.name} in more than one split: quality will look too good"
        )
    by_group = grouped(shared, groups, shares)
    if shares:
        parts = {split: by_group[split] for split in SPLITS if len(by_group.get(split, ()))}
        counts = ", ".join(f"{len(np.unique(groups[part]))} {split}" for split, part in parts.items())
        notes.append(f"rows of one value of {found.group.name} stay together: {counts}")
    return {**rows, **by_group}, notes


def _time_notes(time: Times, parts: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Yields from when on rows test and validate.

    Raises:
        DataError: there are too few different times for that.
    """
    values = time.values()
    if empty := [split for split, part in parts.items() if not len(part)]:
        raise DataError(
            f"The column {time.name} has too few different values to split by: none is left for {' and '.join(empty)}.",
            hint="Name another, or leave --time-by out",
        )
    begins = [
        f"{split} has {counted(len(parts[split]), 'row')} from {time.told(float(values[parts[split]].min()))} on"
        for split in ("validation", "test")
        if len(parts.get(split, ()))
    ]
    if begins:
        yield f"split by {time.name}: {', '.join(begins)}"
    if untimed := int(np.isnan(values[parts["train"]]).sum()):
        yield f"{counted(untimed, 'row')} without a value of {time.name} {'is' if untimed == 1 else 'are'} trained"


def _torn(groups: np.ndarray, rows: Mapping[str, np.ndarray]) -> int:
    """Returns how many groups have rows in several splits."""
    each = [np.unique(groups[part]) for part in rows.values()]
    return int((np.unique(np.concatenate(each), return_counts=True)[1] > 1).sum())


def _unlabelled(labels: np.ndarray | LabelSets, name: str) -> str | None:
    empty = int((~_known(labels)).sum())
    return (
        f"{counted(empty, 'row')} without a value of {name} {'is' if empty == 1 else 'are'} left out" if empty else None
    )


def _inputs(options: Options, columns: Sequence[str], others: set[int | None]) -> tuple[int, ...]:
    """Returns the places of the columns that go in."""
    wanted, unwanted = (_names(options, name) for name in ("columns", "leave_out"))
    left_out = {find_column(name, columns, "--leave-out") for name in unwanted or ()}
    places = [find_column(name, columns, "--columns") for name in wanted or ()] or list(range(len(columns)))
    found = tuple(place for place in places if place not in others | left_out)
    if not found:
        raise InvalidInputError(
            f"No column is left to learn from: there are {some(columns, 40)}.", hint="Name some: --columns A,B"
        )
    return found


def _names(options: Options, name: str) -> list[str] | None:
    """Returns the names in an option that is a JSON list of them."""
    if name not in options:
        return None
    try:
        names = json.loads(str(options[name]))
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"{name}: expected a JSON list of columns, got {options[name]!r}.") from exc
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise InvalidInputError(f"{name}: expected a JSON list of columns, got {options[name]!r}.")
    return names


def _text(options: Options, name: str) -> str | None:
    return str(options[name]) if name in options else None


def _place(options: Options, name: str, columns: Sequence[str]) -> int | None:
    wanted = _text(options, name)
    return None if wanted is None else find_column(wanted, columns, f"--{name.replace('_', '-')}")


def _as_text(cell: Cell) -> str:
    return "" if cell is None else text_of(cell)


def _open(scheme: str, rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> RowSource:
    del data_dir
    return RowSource(scheme, Path(rest), options, limits)


open_csv = partial(_open, "csv")
open_datasets = partial(_open, "datasets")
open_jsonl = partial(_open, "jsonl")
open_parquet = partial(_open, "parquet")
open_webdataset = partial(_open, "webdataset")
