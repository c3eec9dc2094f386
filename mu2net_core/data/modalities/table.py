"""Rows of tables: what their columns are is found once and pinned; cells get lost at random in training."""

from __future__ import annotations

from collections.abc import Mapping

from mu2net_core.data.modality import Change, Modality, Reader
from mu2net_core.data.source import Options
from mu2net_core.data.tables.reading import row_reader
from mu2net_core.data.tables.survey import TableSurvey
from mu2net_core.errors import InternalError, InvalidInputError
from mu2net_core.objects import Hyperparameter, Input, Table

__all__ = ["TABLES"]

_DROPOUT = "cell_dropout"


class Tables(Modality):
    """What a model takes is float32 [columns, 4]: see ``tables/reading.py``."""

    kind = "table"
    plural = "rows"
    dtype = "float32"
    preparation = frozenset({_DROPOUT})

    def survey(self, options: Options) -> TableSurvey:
        """Returns what looks at every row."""
        return TableSurvey(options)

    def reader(self, given: Input, shape: tuple[int, ...], options: Options) -> Reader:
        """Returns what makes numbers of rows, for a model with room for ``shape[0]`` columns."""
        if not isinstance(given, Table):
            raise InternalError(f"Expected a table, got {given}.")
        return row_reader(given, shape[0], str(options.get("decimal", ".")))

    def change(self, hyperparameters: Mapping[str, Hyperparameter]) -> Change | None:
        """Returns what takes each cell of a row away with the probability ``cell_dropout``."""
        share = hyperparameters.get(_DROPOUT, 0.0)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise InvalidInputError(f"{_DROPOUT}: expected a number from 0 up to, but not, 1, got {share!r}.")
        if not share:
            return None
        from mu2net_core.data.tables.losing import losing  # jax comes along

        return losing(float(share))


TABLES = Tables()
