"""Dates in text as numbers: days since the first of January 1970."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from mu2net_core.data.rows.row import Cell

__all__ = ["days_of", "form_of"]

_ISO = "iso"
_FORMS = (_ISO, "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M:%S")
_START = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = 8


def days_of(cell: Cell, form: str) -> float | None:
    """Returns the days from 1970 to a date of a form, None if it is none; without a zone it is taken for UTC."""
    if not isinstance(cell, str) or len(cell) < _SHORTEST or not _names_a_year(form):
        return None
    try:
        when = datetime.fromisoformat(cell) if form == _ISO else datetime.strptime(cell, form)  # noqa: DTZ007
    except (ValueError, re.error):  # the latter of a form that names a part twice
        return None
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - _START).total_seconds() / 86_400


def _names_a_year(form: str) -> bool:
    """Returns whether a form says which year it is; what Python makes of others changes from version to version."""
    return form == _ISO or "%Y" in form or "%y" in form


def form_of(cells: Iterable[str]) -> str | None:
    """Returns the form in which all ``cells`` are dates; None if there is none."""
    forms = list(_FORMS)
    for cell in cells:
        forms = [form for form in forms if days_of(cell, form) is not None]
        if not forms:
            return None
    return forms[0] if len(forms) < len(_FORMS) else None
