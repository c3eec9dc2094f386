"""Checks that all is in a remote that was seen of its refs before: nothing else there names what is gone altogether."""

from __future__ import annotations

from collections.abc import Iterator

from mu2net_core.errors import CorruptObjectError
from mu2net_core.repo.checking.check_refs import RefScan
from mu2net_core.repo.checking.patient import Patient
from mu2net_core.repo.core import CONFIG, EPOCHS, Problem, entry_key
from mu2net_core.repo.exchange import find_lost_refs
from mu2net_core.repo.remotes import Sight

__all__ = ["check_seen"]

_SEEN = "was there when this working copy last looked, and is gone."


def check_seen(patient: Patient, refs: RefScan) -> None:
    """Reports what was seen of a remote's refs and is not there any more, and has it restored."""
    if patient.before is None:
        return
    try:
        sight = Sight(frozenset(patient.store.list("refs")))
    except CorruptObjectError:
        return  # a link in place of the folder, which is reported
    lost = find_lost_refs(patient.before, sight, patient.stones)
    for key in _replaced(patient, refs):
        joins = f"`mu2net push {patient.name}` or `mu2net pull {patient.name}` joins both histories."
        message = f"It is another entry than was seen there: somebody went on where that was lost. {joins}"
        refs.problems.append(Problem(kind="damaged-ref", object=key, message=message))
    for task, numbers in lost.entries.items():
        gone = _at_the_end(refs, task, numbers)
        refs.broken += [(task, number) for number in gone]
        if gone:
            which = f"Entry {gone[0]}" if len(gone) == 1 else f"Each of the entries {gone[0]} to {gone[-1]}"
            joins = (
                f" Where somebody went on with the log since, only `mu2net push {patient.name}` does: it joins both."
            )
            _report(patient, refs, entry_key(task, gone[0]), f"{which} of {task}", joins)
    for key, oid in patient.before.names.items():
        if (refs.tags | refs.roots).get(key, oid) != oid:
            message = f"It named {oid[:10]} when this working copy last looked; tags and roots never move."
            refs.problems.append(Problem(kind="damaged-ref", object=key, message=message))
    if patient.settings is not None and not patient.holds(CONFIG, patient.settings):
        _report_settings(patient, refs, is_there=patient.store.exists(CONFIG))
    for key in (*(f"refs/tags/{name}" for name in lost.tags), *(f"refs/roots/{name}" for name in lost.roots)):
        _report(patient, refs, key, "It")
    for stone in lost.stones:
        _report(patient, refs, f"refs/purged/{stone.task}/00000001", f"A tombstone of {stone.task}")
    if lost.epoch:
        _report(patient, refs, f"{EPOCHS}/{patient.before.epoch}", "It")


def _replaced(patient: Patient, refs: RefScan) -> Iterator[str]:
    """Yields the entries that are sound and have a commit, but are not those that were seen."""
    found = {(task, number): oid for task, number, oid in refs.commits}
    for task, seen in sorted(patient.before.heads.items() if patient.before else ()):
        oid = found.get((task, seen.number))
        if oid is not None and not patient.refs.holds(seen) and _has_commit(patient, oid):
            yield entry_key(task, seen.number)


def _has_commit(patient: Patient, oid: str) -> bool:
    try:
        return patient.objects.has("commit", oid)
    except CorruptObjectError:
        return False  # a link in its place, which is reported


def _at_the_end(refs: RefScan, task: str, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the lost entries that no later one tells of, which would be a gap, and known as that."""
    found = {(name, number) for name, number, _ in refs.commits} | set(refs.broken)
    newest = max((number for name, number in found if name == task), default=0)
    return tuple(number for number in numbers if number > newest)


def _report_settings(patient: Patient, refs: RefScan, *, is_there: bool) -> None:
    if is_there:
        again = (
            _again(patient) if patient.is_local else "`--repair-from` brings it back."
        )  # no push reads it in a bucket
        message = f"It does not hold the settings of a repository. {again}"
        refs.problems.append(Problem(kind="damaged-ref", object=CONFIG, message=message))
    else:
        _report(patient, refs, CONFIG, "It")


def _again(patient: Patient) -> str:
    return f"`mu2net push {patient.name}` or `--repair-from` brings it back."


def _report(patient: Patient, refs: RefScan, key: str, what: str, more: str = "") -> None:
    message = f"{what} {_SEEN} {_again(patient)}{more}"
    refs.problems.append(Problem(kind="missing-ref", object=key, message=message))
