"""Checks that all is in a remote that was seen of its refs before: nothing else there names what is gone altogether."""

from __future__ import annotations

from mu2net_core.repo.check_refs import RefScan
from mu2net_core.repo.epoch import EPOCHS
from mu2net_core.repo.findings import Problem
from mu2net_core.repo.losses import find_lost_refs
from mu2net_core.repo.patient import Patient
from mu2net_core.repo.refs import entry_key
from mu2net_core.repo.repository import CONFIG
from mu2net_core.repo.sight import Sight

__all__ = ["check_seen"]

_SEEN = "was there when this working copy last looked, and is gone."
_AGAIN = " `mu2net push` or `--repair-from` brings it back."
_JOINS = f"{_AGAIN} Where somebody went on with the log since, only `mu2net push` does: it joins both."


def check_seen(patient: Patient, refs: RefScan) -> None:
    """Reports what was seen of a remote's refs and is not there any more, and has it restored."""
    if patient.before is None:
        return
    lost = find_lost_refs(patient.before, Sight(frozenset(patient.store.list("refs"))), patient.stones)
    for task, numbers in lost.entries.items():
        gone = _at_the_end(refs, task, numbers)
        refs.broken += [(task, number) for number in gone]
        if gone:
            which = f"Entry {gone[0]}" if len(gone) == 1 else f"Each of the entries {gone[0]} to {gone[-1]}"
            _report(refs, entry_key(task, gone[0]), f"{which} of {task}", _JOINS)
    if patient.settings is not None and not patient.holds(CONFIG, patient.settings):
        _report_settings(refs, is_there=patient.store.exists(CONFIG))
    for key in (*(f"refs/tags/{name}" for name in lost.tags), *(f"refs/roots/{name}" for name in lost.roots)):
        _report(refs, key, "It")
    for stone in lost.stones:
        _report(refs, f"refs/purged/{stone.task}/00000001", f"A tombstone of {stone.task}")
    if lost.epoch:
        _report(refs, f"{EPOCHS}/{patient.before.epoch}", "It")


def _at_the_end(refs: RefScan, task: str, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the lost entries that no later one tells of, which would be a gap, and known as that."""
    found = {(name, number) for name, number, _ in refs.commits} | set(refs.broken)
    newest = max((number for name, number in found if name == task), default=0)
    return tuple(number for number in numbers if number > newest)


def _report_settings(refs: RefScan, *, is_there: bool) -> None:
    if is_there:
        message = f"It does not hold the settings of a repository.{_AGAIN}"
        refs.problems.append(Problem(kind="damaged-ref", object=CONFIG, message=message))
    else:
        _report(refs, CONFIG, "It")


def _report(refs: RefScan, key: str, what: str, way: str = _AGAIN) -> None:
    refs.problems.append(Problem(kind="missing-ref", object=key, message=f"{what} {_SEEN}{way}"))
