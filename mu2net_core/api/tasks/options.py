"""What is said of a data set that becomes a task: one value, from the command line and from Python to its source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mu2net_core.errors import InvalidInputError

__all__ = ["NOTHING_SAID", "TaskOptions"]

_OF_IMAGES = ("depth", "skip_bad", "skip_stray")
_OF_ROWS = (
    *("target", "columns", "leave_out", "kinds", "split_by", "group_by", "time_by", "image", "output"),
    *("label_separator", "separator", "decimal", "encoding", "header", "quotes"),
)
_OUTPUTS = ("classes", "labels", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What is said of a data set that becomes a task; what is not, is found.

    Attributes:
        name: of the task; None for the one the URI suggests.
        train: split specification, e.g. ``train[20%:]``; None for the default.
        validation: likewise.
        test: likewise.
        private: only the task itself may use what is learned from it.
        readers: groups that may use what is learned from it; none and not ``private`` means everybody.
        depth: of class folders, for ``folder:`` and ``archive:``.
        skip_bad: leave broken images of a folder, or what is no row of a file, out.
        skip_stray: leave images of a folder out that lie at another depth, or beside its splits.
        value_range: ``LOW:HIGH``, what becomes black and white in images of more than 8 bits; None for the usual.
        target: the column of rows that is to be learned; None where one is called ``label``, ``labels``, ``target``,
            ``class`` or ``y``. Several columns of 0 and 1, each a label: as a sequence, or ``a,b``.
        columns: that go in; none for all others. Of a single one that holds text, a text goes in, no table.
        leave_out: columns that do not go in.
        kinds: what columns are, by name: ``number``, ``category``, ``date``, or ``none`` to leave one out.
        split_by: a column whose values are splits.
        group_by: a column of whose values each is in one split only, such as patients.
        time_by: a column of dates or numbers, the newest of whose rows test; those before validate.
        image: the column that names or holds images, which go in; None lets the cells say.
        output: ``classes``, ``labels`` (any number of several) or ``number``.
        label_separator: between labels in a cell.
        separator: between the cells of CSV.
        decimal: what stands before the fraction of its numbers.
        encoding: of CSV and JSON Lines.
        header: whether CSV begins with the names of its columns.
        quotes: whether double quotes enclose cells of CSV.
        metric: by which quality is measured; None for the usual one of what comes out.
        class_weights: ``balanced`` lets the examples of rare classes, or labels, count more in the loss; quality stays
            what it is.
        data_dir: where prepared catalogue data lies.
        preset: that serves the task, in a repository of ``auto``; None lets its data say.
    """

    name: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    private: bool = False
    readers: Sequence[str] = ()
    depth: int | None = None
    skip_bad: bool = False
    skip_stray: bool = False
    value_range: str | None = None
    target: str | Sequence[str] | None = None
    columns: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    split_by: str | None = None
    group_by: str | None = None
    time_by: str | None = None
    image: str | None = None
    output: str | None = None
    label_separator: str | None = None
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    quotes: bool = True
    metric: str | None = None
    class_weights: str | None = None
    data_dir: str | None = None
    preset: str | None = None

    def of_source(self, uri: str) -> dict[str, int | str | bool]:
        """Returns what the source ``uri`` is told, without what is not said.

        Raises:
            InvalidInputError: it is none of a kind that can be told so, or something cannot be right.
        """
        from mu2net_core.data import RANGE, is_of_images, is_of_rows

        _check_output(self.output)
        usual = TaskOptions()
        said = {name: getattr(self, name) for name in (*_OF_IMAGES, *_OF_ROWS)
                if getattr(self, name) not in (getattr(usual, name), [])}  # fmt: skip
        images = said.keys() & set(_OF_IMAGES)
        if images and not is_of_images(uri) and not (is_of_rows(uri) and images == {"skip_bad"}):
            names = " and ".join(map(_option, _OF_IMAGES))
            raise InvalidInputError(f"{names} are for folders of images (folder:PATH, archive:PATH), not for {uri}.")
        rows = [name for name in _OF_ROWS if name in said]
        if rows and not (is_of_rows(uri) or is_of_images(uri)):  # the latter may have a file of rows beside them
            raise InvalidInputError(f"{' and '.join(map(_option, rows))}: for rows (csv:, jsonl:, ...), not for {uri}.")
        written = {name: _written(value) for name, value in said.items()}
        return written if self.value_range is None else {**written, RANGE: self.value_range}


NOTHING_SAID = TaskOptions()
"""Everything is found."""


def _check_output(output: str | None) -> None:
    if output not in {None, *_OUTPUTS}:
        raise InvalidInputError(f"Not an output: {output!r}.", hint="Either classes, labels or number")


def _written(value: object) -> int | str | bool:
    """Returns a value as options of a source have it: several as a JSON list, by name as a JSON object."""
    if isinstance(value, int | str):
        return value
    if isinstance(value, Mapping):
        return json.dumps(dict(value), sort_keys=True)
    return json.dumps(list(value), ensure_ascii=False)  # type: ignore[call-overload]


def _option(name: str) -> str:
    return {"kinds": "--kind", "quotes": "--no-quotes"}.get(name, f"--{name.replace('_', '-')}")
