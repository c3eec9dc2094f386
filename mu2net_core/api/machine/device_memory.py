"""How much memory a device has, and how much of it is used."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import jax

__all__ = ["device_bytes", "used_bytes"]

_UNKNOWN_BYTES = 4 * 2**30

_CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux tells a container how much memory it may use, in cgroups of version 2 and 1."""


def device_bytes(device: jax.Device) -> int:
    """Returns how much memory a device has, as far as it tells; a CPU's is its share of the machine's or container's.

    All of it and not what is free: what streams and what is trained together decides the last bits, so a machine must
    decide alike every time.
    """
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    return min(_machine_bytes(), *_container_bytes()) // len(jax.local_devices())


def used_bytes(device: jax.Device) -> int | None:
    """Returns how much of a device's memory was in use at most; a CPU's is this process's; None if nobody knows."""
    stats = device.memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return int(stats["peak_bytes_in_use"])
    if device.platform != "cpu" or not sys.platform.startswith("linux"):
        return None
    import resource  # Unix only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not every system tells
        return _UNKNOWN_BYTES


def _container_bytes() -> list[int]:
    """Returns the limits there are; a file that says "max", or is not there, limits nothing."""
    found: list[int] = []
    for path in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):
            found.append(max(int(path.read_text()), 1))
    return [*found, sys.maxsize]
