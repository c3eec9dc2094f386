"""``mu2net replay``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mu2net_cli.parsing.completion import complete_revision
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import Column, percent, print_json, print_table, short
from mu2net_cli.printing.text import print_line
from mu2net_cli.session import session_of

if TYPE_CHECKING:
    from mu2net_core.api.evolving.replay import ReplayReport

__all__ = ["replay"]

_COLUMNS = tuple(Column(title=title) for title in ("what", "then", "now"))


def replay(
    ctx: typer.Context,
    revision: Annotated[
        str,
        typer.Argument(
            metavar="REVISION", help="A task or the commit of an iteration.", autocompletion=complete_revision
        ),
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Do an iteration again and say whether the same comes out.

    It is run with the seed, settings, parents and access rules of then, in a folder that is deleted; nothing in the
    repository changes. On the same device with the same libraries the model must be the same, bit by bit. Exits with 1
    if it is not, or what it computes is not, and lists what differs: then and now.

    Example: mu2net replay digits
    """
    from mu2net_cli.watching.progress import evolve_progress
    from mu2net_core.api.evolving.replay import replay as replay_api

    session = session_of(ctx)
    with evolve_progress(session, results=False, advice=False) as on_event:
        report = replay_api(session.repo(), session.context, revision, on_event=on_event)
    if as_json:
        print_json(report)
    else:
        print_line(_verdict(report))
        if report.outcome != "same":
            print_table(session, _COLUMNS, _rows(report))
    if report.outcome == "different":
        raise typer.Exit(1)


def _verdict(report: ReplayReport) -> str:
    """Returns what came out, in one line."""
    what = f"{report.task}: iteration {report.iteration} with seed {report.seed}"
    if report.outcome == "same" and report.now.model is None:
        return f"{what}: again no child that could be kept"
    if report.outcome == "same":
        return f"{what}: the same model, bit by bit ({short(report.now.model)})"
    if report.outcome == "parameters":
        return f"{what}: the same parameters, bit by bit; only what the manifest says of them differs"
    if not report.step and report.then.model == report.now.model:
        return f"{what}: the same model, but other children"
    if not report.step:
        return f"{what}: not the same"
    place = f"model {report.step} of {report.steps} in the line to the retained one"
    return f"{what}: not the same; the first that differs is {place}"


def _rows(report: ReplayReport) -> Iterator[tuple[str, str, str]]:
    """Yields what differs, the retained models and their qualities, and how far these are apart at most."""
    for difference in report.differences:
        yield difference.what, _text(difference.then), _text(difference.now)
    yield "retained model", short(report.then.model), short(report.now.model)
    before, after = report.then.manifest, report.now.manifest
    if before is None or after is None:
        return
    curves = before.validation_curve, after.validation_curve
    then, now = (" ".join(map(percent, curve)) for curve in curves)
    yield "its validation", then, now
    yield "its test", percent(before.test_quality), percent(after.test_quality)
    gaps = [abs(one - other) for one, other in zip(*curves, strict=False)]
    if before.test_quality is not None and after.test_quality is not None:
        gaps.append(abs(before.test_quality - after.test_quality))
    yield "at most apart", "", percent(max(gaps, default=0.0))


def _text(value: Any) -> str:
    """Returns a JSON value in few words; ids are shortened, and so are long decimals."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(one)}" for key, one in sorted(value.items())) or "-"
    if isinstance(value, list):
        return " ".join(map(_text, value)) or "-"
    if isinstance(value, str) and len(value) == 64:
        return short(value)
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)
