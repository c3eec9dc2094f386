"""What ``eval`` prints of a model beside its quality: by class, what is confused, calibration, residuals, the worst."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import Column, percent, print_table
from mu2net_cli.printing.text import print_line
from mu2net_cli.session import Session

if TYPE_CHECKING:
    from mu2net_core.api.models.evaluate import EvalResult
    from mu2net_core.api.models.report import Calibration, Report, Residuals

__all__ = ["print_details"]

_MOST = 10
"""So many pairs of classes are told that are confused most; ``--json`` tells all."""


def _columns(first: str, *others: str, text: int = 0) -> tuple[Column, ...]:
    """Returns columns: a bold one, ``text`` ones of text, and numbers."""
    rest = (Column(title=title, align="left" if place < text else "right") for place, title in enumerate(others))
    return (Column(title=first, style="bold"), *rest)


_CLASSES = _columns("class", "examples", "taken for it", "correct", "precision", "recall")
_LABELS = _columns("label", "examples", "said", "correct", "precision", "recall", "average precision")
_CONFUSED = _columns("class", "taken for", "times", text=1)
_WRONG = _columns("example", "class", "taken for", "probability", text=2)
_WORST = _columns("example", "is", "said", "loss", text=2)
_BINS = _columns("probability", "answers", "mean", "right")
_PARTS = _columns("numbers", "examples", "bias", "mean error")


def print_details(session: Session, result: EvalResult) -> None:
    """Prints all that was asked for beside the quality."""
    if result.by_class is not None:
        of_labels = result.correct is None
        _table(session, _LABELS if of_labels else _CLASSES, _by_class(result, of_labels=of_labels))
    if result.confused:
        _table(session, _CONFUSED, ((c.label, c.said, str(c.count)) for c in result.confused[:_MOST]))
        if len(result.confused) > _MOST:
            session.note(f"{len(result.confused) - _MOST} more pairs of classes are confused; --json tells all")
    if result.wrong:
        _table(session, _WRONG, ((w.name, w.label, w.said, percent(w.probability)) for w in result.wrong))
    if result.report is not None:
        _report(session, result.report)


def _table(session: Session, columns: tuple[Column, ...], rows: Iterator[tuple[str, ...]]) -> None:
    print_line("")
    print_table(session, columns, rows)


def _by_class(result: EvalResult, *, of_labels: bool) -> Iterator[tuple[str, ...]]:
    for one in result.by_class or ():
        counts = (str(one.num_examples), str(one.num_said), str(one.correct))
        row = (one.label, *counts, percent(one.precision), percent(one.recall))
        yield (*row, percent(one.average_precision)) if of_labels else row


def _report(session: Session, report: Report) -> None:
    if report.calibration is not None:
        _calibration(session, report.calibration)
    if report.residuals is not None:
        _residuals(session, report.residuals)
    _table(session, _WORST, ((w.name, w.label, w.said, f"{w.loss:.4g}") for w in report.worst))


def _calibration(session: Session, found: Calibration) -> None:
    print_line("")
    print_line(f"Calibration: probabilities are off by {percent(found.ece)} on average (ECE)")
    print_table(
        session,
        _BINS,
        (
            (f"{one.low:.1f} to {one.high:.1f}", str(one.count), percent(one.probability), percent(one.right))
            for one in found.bins
        ),
    )


def _residuals(session: Session, found: Residuals) -> None:
    print_line("")
    print_line(
        f"Said less true: {found.bias:.4g} on average, {found.mean_error:.4g} in absolute value (MAE), "
        f"{found.root_mean_square:.4g} root mean square"
    )
    print_line("; ".join(f"{percent(share)} are below {value:.4g}" for share, value in found.quantiles))
    print_table(
        session,
        _PARTS,
        (
            (f"{one.low:.4g} to {one.high:.4g}", str(one.count), f"{one.bias:.4g}", f"{one.mean_error:.4g}")
            for one in found.by_truth
        ),
    )
