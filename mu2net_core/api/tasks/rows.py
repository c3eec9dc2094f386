"""How rows are read, and which of their columns are what: what ``add-task`` takes of files of rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from mu2net_core.data import is_of_images, is_of_rows
from mu2net_core.errors import InvalidInputError

__all__ = ["RowOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOptions:
    """What is said of the rows of a file; what is not, is found.

    Attributes:
        target: the column that is to be learned; None where one is called ``label``, ``labels``, ``target``, ``class``
            or ``y``. Several columns of 0 and 1, each a label: as a sequence, or ``a,b``.
        columns: that go in; none for all others. Of a single one that holds text, a text goes in, no table.
        leave_out: columns that do not go in.
        kinds: what columns are, by name: ``number``, ``category``, ``date``, or ``none`` to leave one out.
        split_by: a column whose values are splits.
        group_by: a column of whose values each is in one split only, such as patients.
        time_by: a column of dates or numbers, the newest of whose rows test; those before validate.
        image: the column that names images, which go in; none lets the cells say.
        output: ``classes``, ``labels`` (any number of several) or ``number``.
        label_separator: between labels in a cell.
        separator: between the cells of CSV.
        decimal: what stands before the fraction of its numbers.
        encoding: of CSV and JSON Lines.
        header: whether CSV begins with the names of its columns.
        quotes: whether double quotes enclose cells of CSV.
    """

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

    def options(self, uri: str) -> dict[str, int | str | bool]:
        """Returns it as options of the source ``uri``, without what is not said.

        Raises:
            InvalidInputError: the source has no rows, or something cannot be right.
        """
        said = {one.name: value for one in fields(self) if (value := getattr(self, one.name)) not in (None, (), [], {})}
        if self.quotes:
            del said["quotes"]
        if said and not (is_of_rows(uri) or is_of_images(uri)):  # the latter may have a file of rows beside them
            names = " and ".join(f"--{_option(name)}" for name in said)
            raise InvalidInputError(f"{names}: for rows (csv:, jsonl:, parquet:), not for {uri}.")
        if self.output not in {None, "classes", "labels", "number"}:
            raise InvalidInputError(f"Not an output: {self.output!r}.", hint="Either classes, labels or number")
        lists = dict[str, int | str | bool]()
        lists |= {name: json.dumps(list(said[name])) for name in ("columns", "leave_out") if name in said}
        if self.target is not None and not isinstance(self.target, str):
            targets = list(self.target)
            lists["target"] = targets[0] if len(targets) == 1 else json.dumps(targets, ensure_ascii=False)
        if self.kinds:
            lists["kinds"] = json.dumps(dict(self.kinds), sort_keys=True)
        return {**said, **lists}


def _option(name: str) -> str:
    return "kind" if name == "kinds" else name.replace("_", "-")
