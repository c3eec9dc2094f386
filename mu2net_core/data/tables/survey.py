"""What the columns of a table are, found in the pass that fingerprints its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mu2net_core.data.modality import Survey
from mu2net_core.data.rows.row import Cell, cells_of
from mu2net_core.data.source import Options, Stored
from mu2net_core.data.tables.judging import KINDS, Judged, judge
from mu2net_core.data.tables.leaks import leaks
from mu2net_core.data.wording import some
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Table

__all__ = ["TableSurvey", "kinds_of"]

_LOOKED_AT, _MOST_CELLS = 50_000, 2**24
"""Rows, and fewer of very wide tables: so many cells are held."""

_TOLD = 5


class TableSurvey(Survey):
    """Looks at the first training rows, which are a fair sample; the others need only be rows.

    Args:
        options: of the source: ``kinds`` (a JSON object: what somebody said that columns are) and ``decimal``.
    """

    def __init__(self, options: Options) -> None:
        super().__init__("table")
        self._kinds, self._decimal = kinds_of(options), str(options.get("decimal", "."))
        self._cells: dict[str, list[Cell]] = {}
        self._labels: list[float | None] = []
        self._judged: dict[str, Judged] | None = None

    def look(self, stored: Stored, split: str = "train") -> bool:
        """Takes a row in; each is one."""
        room = len(self._labels) < _LOOKED_AT and len(self._labels) * len(self._cells) < _MOST_CELLS
        if split == "train" and room:
            for name, cell in cells_of(stored).items():
                self._cells.setdefault(name, []).append(cell)
            self._labels.append(stored.label if isinstance(stored.label, int | float) else None)
        return True

    def check(self, uri: str) -> None:
        """Checks that there is a column to learn from.

        Raises:
            DataError: there is none.
            InvalidInputError: a column is not what was said of it, or is not there.
        """
        unknown = [name for name in self._kinds if name not in self._cells]
        if unknown:
            raise InvalidInputError(
                f"No column {unknown[0]!r} goes in from {uri}; there are {some(list(self._cells), 40)}."
            )
        judged = self._found()
        if not any(one.column for one in judged.values()):
            why = [f"{name} ({one.why_not})" for name, one in judged.items()]
            raise DataError(
                f"No column of {uri} can be learned from: {some(why)}.",
                hint="Say what a column is: --kind COLUMN=number, or category, or date",
            )

    def input(self) -> Table:
        """Returns the columns that go in."""
        return Table(columns=tuple(one.column for one in self._found().values() if one.column is not None))

    def options(self) -> Options:
        """Returns what was said of columns, if something was."""
        return {"kinds": json.dumps(self._kinds, sort_keys=True)} if self._kinds else {}

    def notes(self) -> Iterator[str]:
        """Yields which columns are left out, how some are read, and which give the answer away."""
        judged = self._found()
        said = {name: one for name, one in judged.items() if self._kinds.get(name) != "none"}
        left_out = [f"{name} ({one.why_not})" for name, one in said.items() if one.column is None]
        if left_out:
            yield f"left out: {some(left_out, _TOLD)} (to have one: --kind COLUMN=category, or number)"
        yield from (one.note for one in judged.values() if one.note is not None)
        labels = [label for label in self._labels if label is not None]
        if len(labels) == len(self._labels):  # of several labels each would have to be told alone
            yield from leaks(self.input().columns, self._cells, labels, self._decimal)

    def _found(self) -> dict[str, Judged]:
        if self._judged is None:
            self._judged = {
                name: judge(name, cells, self._decimal, self._kinds.get(name)) for name, cells in self._cells.items()
            }
        return self._judged


def kinds_of(options: Options) -> dict[str, str]:
    """Returns what somebody said that columns are, by their names.

    Raises:
        InvalidInputError: it cannot be read, or there is no such kind.
    """
    try:
        kinds = json.loads(str(options.get("kinds", "{}")))
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError(f"kinds: expected a JSON object, got {options['kinds']!r}.") from exc
    for name, kind in kinds.items() if isinstance(kinds, dict) else [("", kinds)]:
        if kind not in KINDS:
            raise InvalidInputError(f"The column {name} is of no kind {kind!r}.", hint=f"Kinds: {', '.join(KINDS)}.")
    return dict(kinds)
