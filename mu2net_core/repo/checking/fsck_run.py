"""Checks a whole repository, here or elsewhere, and restores what is damaged from another one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mu2net_core.objects import Kind
from mu2net_core.repo.checking.check_absent import ask_remotes, set_aside, ways_back
from mu2net_core.repo.checking.check_history import walk_history
from mu2net_core.repo.checking.check_logs import check_logs
from mu2net_core.repo.checking.check_objects import Scan, Share, Watch, scan_objects
from mu2net_core.repo.checking.check_plausible import check_plausible
from mu2net_core.repo.checking.check_refs import RefScan, scan_refs
from mu2net_core.repo.checking.check_reports import check_reports
from mu2net_core.repo.checking.check_seen import check_seen
from mu2net_core.repo.checking.check_walk import Walk
from mu2net_core.repo.checking.patient import Patient, patient_here
from mu2net_core.repo.checking.restore_log import restore_entries
from mu2net_core.repo.checking.restoring import restore_names, restore_objects
from mu2net_core.repo.core import FsckReport, Problem, Repository, Source
from mu2net_core.repo.history import Arrivals

__all__ = ["FsckReport", "Problem", "examine", "fsck"]

_ROUNDS = 1_000


def fsck(
    repo: Repository, *, remote: Source | None = None, share: Share | None = None, watch: Watch = lambda *_: None
) -> FsckReport:
    """Returns what is wrong with ``repo`` after re-hashing every object and following every edge.

    Args:
        repo: the repository; without ``remote`` nothing in it is changed. Its partial remotes are asked whether they
            have the components that are not here.
        remote: where good copies of what is damaged or missing are taken from.
        share: which part of the components is hashed; by default all.
        watch: told of progress.
    """
    return examine(patient_here(repo), source=remote, share=share, watch=watch)


def examine(
    patient: Patient,
    *,
    source: Source | None = None,
    share: Share | None = None,
    now: datetime | None = None,
    watch: Watch = lambda *_: None,
) -> FsckReport:
    """Returns what is wrong with a repository, here or elsewhere, after repairs if there is a ``source`` for them.

    Args:
        patient: the repository.
        source: where good copies are taken from.
        share: which part of the components is hashed; by default all.
        now: what times that cannot be yet are told by; None to let them be.
        watch: told of progress.

    Raises:
        AccessDeniedError: permissions forbid a repair.
    """
    scan = scan_objects(patient, share=share, watch=watch)
    repaired: list[str] = []
    for _ in range(_ROUNDS):
        refs, walk = _look_around(patient, scan, watch)
        restored = [] if source is None else _restore(patient, source, scan, refs, walk)
        if not restored:
            break
        repaired += restored
    problems = _noted(patient, scan, refs, walk)
    check_plausible(walk, refs, Arrivals.at(patient.identity, now), patient.objects.limits)
    return FsckReport(
        problems=tuple(sorted({*problems, *check_reports(patient, scan)}, key=_order)),
        warnings=tuple(sorted([*scan.warnings, *walk.warnings], key=_order)),
        repaired=tuple(dict.fromkeys(repaired)),
        counts=_counts(scan, refs, walk),
    )


def _look_around(patient: Patient, scan: Scan, watch: Watch) -> tuple[RefScan, Walk]:
    watch("checking references", 0, 0)
    refs = scan_refs(patient.refs, patient.identity)
    check_seen(patient, refs)
    walk = walk_history(scan, refs, partial=patient.is_partial)
    check_logs(walk, refs)
    if patient.remotes:
        ask_remotes(walk, patient.remotes, _aside(patient))
    elif walk.absent:
        walk.warn("missing-object", "component", f"{len(walk.absent)} are not there: this is a partial clone.")
    return refs, walk


def _aside(patient: Patient) -> dict[str, Path]:
    return {} if patient.folder is None else set_aside(patient.folder / "state" / "corrupt")


def _noted(patient: Patient, scan: Scan, refs: RefScan, walk: Walk) -> set[Problem]:
    """Returns all problems; those of lost objects tell where a damaged copy is, and what is whole without them."""
    aside = _aside(patient)
    problems = {*scan.problems, *refs.problems, *walk.problems}
    lost = {p.object for p in problems if p.kind in {"missing-object", "damaged-object"}}
    notes = ways_back(scan, refs, {about.removeprefix("component/") for about in lost})
    noted = set()
    for problem in problems:
        copy = aside.get(problem.object) if problem.kind == "missing-object" else None
        where = "" if copy is None else f" A damaged copy of it was set aside: {copy}."
        note = notes.get(problem.object, "") if problem.object in lost else ""
        noted.add(replace(problem, message=problem.message + where + note))
    return noted


def _counts(scan: Scan, refs: RefScan, walk: Walk) -> dict[str, int]:
    counts = Counter(scan.counts)
    counts["entries"] = len(refs.commits)
    counts["tags"] = len(refs.tags)
    good = sum(len(x) for x in (scan.components, scan.models, scan.tasks, scan.commits, scan.snapshots))
    counts["unreachable"] = good - len(walk.reached)
    return dict(counts)


def _restore(patient: Patient, source: Source, scan: Scan, refs: RefScan, walk: Walk) -> list[str]:
    """Fetches what the source has of what is damaged or missing; returns what was restored."""
    aside = _aside(patient)
    damaged: set[tuple[Kind, str]] = {("component", oid) for oid in walk.absent if f"component/{oid}" in aside}
    begin = len(patient.healed)
    restore_objects(patient, source, {*scan.damaged, *walk.missing, *damaged})
    for node in patient.healed[begin:]:
        scan.renew(patient, node)
    middle = len(patient.healed)
    names = [*restore_names(patient, source, scan, refs), *restore_entries(patient, source, scan, refs)]
    for node in patient.healed[middle:]:
        scan.renew(patient, node)
    return [*(f"{kind}/{oid}" for kind, oid in patient.healed[begin:]), *names]


def _order(problem: Problem) -> tuple[str, str, str]:
    return problem.kind, problem.object, problem.message
