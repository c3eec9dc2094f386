"""Brings damaged and missing objects, tags, roots and tombstones back from another repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, Mu2netError
from mu2net_core.objects import LIMITS, Kind, encode, object_key
from mu2net_core.repo.checking.check_objects import Scan
from mu2net_core.repo.checking.check_refs import RefScan
from mu2net_core.repo.checking.patient import Patient
from mu2net_core.repo.core import CONFIG, Refs, Source, is_epoch_key, new_epoch, parse_tombstone_key

__all__ = ["alike", "restore_names", "restore_objects"]

_FLIPPED = 2


def restore_objects(patient: Patient, source: Source, wanted: Iterable[tuple[Kind, str]]) -> None:
    """Fetches what ``source`` has of ``wanted``, each object once.

    Raises:
        AccessDeniedError: permissions forbid replacing them.
    """
    for kind, oid in sorted(set(wanted) - set(patient.healed)):
        if patient.is_behind_link(object_key(kind, oid)):
            continue
        try:
            data = source.objects.read(kind, oid)
        except Mu2netError:
            continue  # the source has no good copy either: the problem stays in the report
        patient.put(kind, oid, data)


def restore_names(patient: Patient, source: Source, scan: Scan, refs: RefScan) -> list[str]:
    """Restores tags and roots that are damaged or name nothing, tombstones, epochs, settings; returns their keys.

    A tag or root comes back as it was but for a digit or two, as ``source`` has it, or as it was last seen on a remote,
    if what that names is there or comes from ``source``. What others tell of must be trusted.
    """
    restored = []
    suspects = {problem.object for problem in refs.problems}
    suspects |= {key for key, oid in refs.tags.items() if oid not in scan.snapshots}
    suspects |= {key for key, oid in refs.roots.items() if oid not in scan.models}
    for key in sorted(suspects):
        if is_epoch_key(key):
            patient.set_aside(key)
            new_epoch(patient.store)
            restored.append(key)
        elif key.startswith(("refs/tags/", "refs/roots/")):
            good = (data for oid, data in _named(patient, source, scan, key) if _is_good(patient, source, key, oid))
            data = next(good, None)
            restored += [key] if data is not None and patient.replace(key, data) else []
        elif key == CONFIG and patient.settings is not None:
            restored += [key] if patient.replace(key, patient.settings) else []
        elif parse_tombstone_key(key):
            restored += [key] if _tombstone(patient, source, key) else []
    return restored


def alike(oid: str, known: Iterable[str]) -> list[str]:
    """Returns the ids of ``known`` that differ from ``oid`` in two digits at most: what it was before a bit flipped."""
    return [one for one in known if len(one) == len(oid) and sum(map(str.__ne__, oid, one)) <= _FLIPPED]


def _named(patient: Patient, source: Source, scan: Scan, key: str) -> Iterator[tuple[str, bytes]]:
    """Yields what a tag or root may have named: id, and bytes of the file."""
    _, folder, name = key.split("/", 2)
    with suppress(Mu2netError):
        data = patient.store.read(key, limit=LIMITS.ref_bytes)
        for oid in alike(data[:64].decode(errors="replace"), scan.snapshots if folder == "tags" else scan.models):
            yield oid, oid.encode() + (data[64:] if data[64:65] == b"\n" else b"\n")
    told: list[str | None] = []
    with suppress(Mu2netError):
        told.append(source.refs.read_id(key))
    told += [(note.tags if folder == "tags" else note.roots).get(name) for note in patient.known]
    for oid in filter(None, told):
        line = f"{oid}\n".encode()
        if patient.trusts(key, line):
            yield oid, line


def _is_good(patient: Patient, source: Source, key: str, oid: str) -> bool:
    """Returns whether the object is here, or comes now."""
    node: tuple[Kind, str] = ("snapshot" if key.startswith("refs/tags/") else "model", oid)
    if patient.is_behind_link(object_key(*node)):
        return False
    restore_objects(patient, source, [] if _is_there(patient, node) else [node])
    return _is_there(patient, node)


def _is_there(patient: Patient, node: tuple[Kind, str]) -> bool:
    with suppress(CorruptObjectError):  # a link is there
        return patient.objects.has(*node)
    return False


def _tombstone(patient: Patient, source: Source, key: str) -> bool:
    place = parse_tombstone_key(key)
    seen = [stone for stone in patient.stones if place is not None and stone.task == place[0]]
    if seen and not patient.store.exists(key):
        for stone in seen:
            patient.refs.create_tombstone(stone)
        return True
    try:
        data = encode(Refs(source.refs.store).tombstone(key))
        return patient.trusts(key, data) and patient.replace(key, data)
    except AccessDeniedError:
        raise
    except Mu2netError:
        return False
