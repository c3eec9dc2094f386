"""Checks a whole repository, and restores what is damaged from another one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mu2net_core.objects import Kind
from mu2net_core.repo.check_absent import ask_remotes, set_aside, ways_back
from mu2net_core.repo.check_history import Walk, walk_history
from mu2net_core.repo.check_objects import Scan, scan_objects
from mu2net_core.repo.check_refs import RefScan, scan_refs
from mu2net_core.repo.findings import FsckReport, Problem, Source
from mu2net_core.repo.refs import entry_key
from mu2net_core.repo.repository import Repository
from mu2net_core.repo.restore import restore_entry, restore_objects

__all__ = ["FsckReport", "Problem", "fsck"]

_ROUNDS = 1_000


def fsck(repo: Repository, *, remote: Source | None = None) -> FsckReport:
    """Returns what is wrong with ``repo`` after re-hashing every object and following every edge.

    Args:
        repo: the repository; without ``remote`` nothing in it is changed. Its partial remotes are asked whether they
            have the components that are not here.
        remote: where good copies of damaged and missing objects and head entries are taken from.
    """
    repaired: list[str] = []
    for _ in range(_ROUNDS):
        scan, refs, walk = _check(repo)
        restored = [] if remote is None else _restore(repo, remote, scan, refs, walk)
        if not restored:
            break
        repaired += restored
    problems = _noted(repo, scan, refs, walk)
    return FsckReport(
        problems=tuple(sorted(problems, key=lambda p: (p.kind, p.object, p.message))),
        repaired=tuple(repaired),
        counts=_counts(scan, refs, walk),
    )


def _check(repo: Repository) -> tuple[Scan, RefScan, Walk]:
    scan = scan_objects(repo.store, repo.limits)
    refs = scan_refs(repo.refs)
    remotes = repo.config.remotes.values()
    walk = walk_history(scan, refs, partial=any(remote.partial for remote in remotes))
    ask_remotes(walk, remotes, set_aside(repo.state / "corrupt"))
    return scan, refs, walk


def _noted(repo: Repository, scan: Scan, refs: RefScan, walk: Walk) -> set[Problem]:
    """Returns all problems; those of lost objects tell where a damaged copy is, and what is whole without them."""
    aside = set_aside(repo.state / "corrupt")
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


def _restore(repo: Repository, remote: Source, scan: Scan, refs: RefScan, walk: Walk) -> list[str]:
    """Fetches what the remote has of what is damaged or missing; returns what was restored."""
    aside = set_aside(repo.state / "corrupt")
    damaged: set[tuple[Kind, str]] = {("component", oid) for oid in walk.absent if f"component/{oid}" in aside}
    restored = restore_objects(repo, remote, {*scan.damaged, *walk.missing, *damaged})
    lost = [(task, number) for task, number, commit in refs.commits if not repo.objects.has("commit", commit)]
    for task, number in sorted({*refs.broken, *lost}):
        if restore_entry(repo, remote, scan, task, number, rebuild=(task, number) in refs.broken):
            restored.append(entry_key(task, number))
    return restored
