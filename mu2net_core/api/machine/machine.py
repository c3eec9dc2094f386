"""What of a machine decides the last bits of what it computes."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

__all__ = ["num_cores", "processor"]

_CPUINFO = Path("/proc/cpuinfo")
_LONGEST = 100


def num_cores() -> int:
    """Returns how many CPU cores this process may use: sums are split among them, and so round differently."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Returns the processor's name; where the system does not tell it, its architecture."""
    with suppress(OSError):
        for line in _CPUINFO.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()[:_LONGEST]
    return (platform.processor() or platform.machine())[:_LONGEST]
