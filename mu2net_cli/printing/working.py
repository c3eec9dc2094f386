"""Agents at work, as ``status`` shows them: one in a sentence, several in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mu2net_cli.printing.layout import cell_width
from mu2net_cli.printing.render import duration
from mu2net_cli.printing.text import visible

if TYPE_CHECKING:
    from mu2net_core.api.iterations.working import Working

__all__ = ["working_lines"]

_TITLES = ("task", "agent", "iteration", "generation", "best", "for", "")


def working_lines(working: Sequence[Working]) -> Iterator[str]:
    """Yields who works on what, since when, and how far that is."""
    if len(working) < 2:
        yield from map(_sentence, working)
        return
    methods = {one.method for one in working}
    by = f", all by {methods.pop()}" if len(methods) == 1 and "" not in methods else ""
    yield f"Working: {len(working)} agents{by}"
    rows = [_TITLES, *(_cells(one, tells_method=not by) for one in working)]
    shown = [tuple(map(visible, row)) for row in rows]
    widths = [max(map(cell_width, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (cell + " " * (width - cell_width(cell)) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _cells(one: Working, *, tells_method: bool) -> tuple[str, ...]:
    remarks = [f"by {one.method}"] * (tells_method and bool(one.method))
    remarks += [f"seen at {one.remote}"] if one.remote is not None else []
    remarks += [f"silent for {duration(one.silent_s)}"] if not one.is_living else []
    best = "-" if one.score is None else f"{one.score:.4f}"
    numbers = (str(one.iteration), str(one.generation + 1), best, duration(one.for_s) if one.how_long else "-")
    return (one.task, one.whole_name, *numbers, ", ".join(remarks))


def _sentence(one: Working) -> str:
    where = "" if one.remote is None else f", seen at {one.remote}"
    best = "" if one.score is None else f", best score {one.score:.4f}"
    method = f" by {one.method}" if one.method else ""
    how = f"iteration {one.iteration}, generation {one.generation + 1}{method}{best}"
    silent = "" if one.is_living else f"; silent for {duration(one.silent_s)}, so the next agent takes it over"
    return f"Working: {one.task}, {one.whole_name}{where}{one.how_long}: {how}{silent}"
