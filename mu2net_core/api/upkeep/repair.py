"""What a repair takes over from another copy where everything has to be signed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from mu2net_core.api.signing.trust import Trust
from mu2net_core.errors import Mu2netError
from mu2net_core.objects import HeadEntry, decode
from mu2net_core.repo import ObjectDatabase
from mu2net_core.repo.checking import Patient
from mu2net_core.repo.core import Tombstone, parse_entry_key, parse_tombstone_key
from mu2net_core.repo.exchange import check_forward

__all__ = ["trusting"]


def trusting(patient: Patient, trust: Trust | None, theirs: ObjectDatabase) -> Patient:
    """Returns a patient that only takes over refs that are well signed; any, without ``trust``.

    An entry of a head must also follow the work before it. A root, which nobody signs, must be what a remote was seen
    to have under that name.

    Args:
        patient: to repair.
        trust: checks signatures.
        theirs: the objects of the copy that repairs.
    """
    if trust is None:
        return patient
    there = replace(trust, objects=theirs, _known={})

    def trusts(key: str, data: bytes) -> bool:
        if key.startswith("refs/roots/"):
            oid = data[:64].decode(errors="replace")
            return any(note.roots.get(key.removeprefix("refs/roots/")) == oid for note in patient.known)
        return any(_is_good(one, patient, key, data) for one in (trust, there))

    return replace(patient, trusts=trusts)


def _is_good(trust: Trust, patient: Patient, key: str, data: bytes) -> bool:
    """Returns whether a ref is well signed, as far as all that shows it is in ``trust.objects``."""
    place = parse_entry_key(key)
    with suppress(Mu2netError):
        if place is not None:
            return _is_good_entry(trust, patient, place, decode(data, HeadEntry, what=key).commit)
        if parse_tombstone_key(key) is not None:
            return trust.tombstone_refusal(decode(data, Tombstone, what=key)) is None
        return trust.tag_refusal(key.removeprefix("refs/tags/"), data[:64].decode(errors="replace")) is None
    return False


def _is_good_entry(trust: Trust, patient: Patient, place: tuple[str, int], commit_id: str) -> bool:
    task, number = place
    before = patient.refs.entry(task, number - 1)[0].commit if number > 1 else None
    known = [] if before is None or not trust.objects.has("commit", before) else [before]
    if trust.objects.commit(commit_id).task != task or check_forward(trust.objects, task, [*known, commit_id]):
        return False
    return trust.refusal(commit_id, known[0] if known else None) is None
