"""Checks the reports that lie beside commits: nothing needs them, so all that can be wrong is their own."""

from __future__ import annotations

from collections.abc import Iterator

from mu2net_core.errors import CorruptObjectError, Mu2netError, NewerError, NotFoundError
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.checking.patient import Patient
from mu2net_core.repo.core import REPORTS, Problem, parse_report_key, read_report, told_link

__all__ = ["check_reports"]

_NO_REPORT = "It is no report: expected TASK/COMMIT/HASH.json."


def check_reports(patient: Patient, scan: Scan) -> Iterator[Problem]:
    """Yields what is wrong with reports: damaged ones, and those of another model than that of their commit."""
    try:
        keys = sorted(patient.store.list(REPORTS))
    except CorruptObjectError as exc:  # it is a link
        yield Problem(kind="damaged-object", object=REPORTS, message=exc.message)
        return
    for key in keys:
        place = parse_report_key(key)
        if place is None:
            yield Problem(kind="damaged-object", object=key, message=told_link(patient.store, key) or _NO_REPORT)
            continue
        try:
            report, _ = read_report(patient.store, key, patient.objects.limits)
        except NotFoundError:
            continue
        except NewerError as exc:
            yield Problem(kind="newer", object=key, message=exc.message)
        except Mu2netError as exc:
            yield Problem(kind="damaged-object", object=key, message=exc.message)
        else:
            commit = scan.commits.get(report.commit)
            if commit is not None and (commit.task, commit.model) != (report.task, report.model):
                told = f"It is of the model {report.model[:16]}, which the commit {report.commit[:16]} does not retain."
                yield Problem(kind="wrong-reference", object=key, message=told)
