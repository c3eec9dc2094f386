"""A profile of what JAX does, written to a folder for the tools that show such profiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from mu2net_core.api.machine.compile_cache import why_not_writable
from mu2net_core.api.machine.devices import find_devices
from mu2net_core.errors import StorageError

__all__ = ["profiled"]


@contextmanager
def profiled(folder: Path) -> Iterator[None]:
    """Records all that JAX does meanwhile, and writes it to ``folder`` at the end, however that comes.

    Raises:
        DeviceError: JAX cannot start here.
        StorageError: the folder cannot be made or written.
    """
    problem = why_not_writable(folder)
    if problem is not None:
        raise StorageError(f"No profile can be written: {problem}.", hint="Name another folder: --profile DIR")
    find_devices()
    jax.profiler.start_trace(str(folder))
    try:
        yield
    finally:
        jax.profiler.stop_trace()
