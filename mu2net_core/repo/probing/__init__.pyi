from .place_probe import ProbeReport, Verdict, probe, refusal
from .probe_notes import check_vetted, forget_note, needs_probe, read_note, vet

__all__ = [
    "ProbeReport",
    "Verdict",
    "check_vetted",
    "forget_note",
    "needs_probe",
    "probe",
    "read_note",
    "refusal",
    "vet",
]
