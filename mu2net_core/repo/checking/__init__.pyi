from .check_objects import Share, Watch
from .fsck_run import FsckReport, examine, fsck
from .patient import Patient, patient_here, patient_there

__all__ = [
    "FsckReport",
    "Patient",
    "Share",
    "Watch",
    "examine",
    "fsck",
    "patient_here",
    "patient_there",
]
