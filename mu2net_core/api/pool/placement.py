"""Which cores and devices each agent of a pool has: shares that do not overlap, as far as there are enough."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

__all__ = ["Placement", "cores_here", "gpus_of", "memory_share", "placements"]

T = TypeVar("T")

_GPUS = Path("/proc/driver/nvidia/gpus")
_NVIDIA = {"cuda", "gpu"}
_SHARED_MEMORY = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an agent runs.

    Attributes:
        cores: that it may use, from its first moment on: the threads of JAX follow that, and nothing else.
        environ: variables that show it its devices alone.
    """

    cores: tuple[int, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


def placements(agents: int, cores: Sequence[int], gpus: Sequence[str] = ()) -> tuple[Placement, ...]:
    """Returns where each of ``agents`` runs; where there are more of them than cores, or GPUs, they take turns.

    Agents that share a GPU get equal parts of its memory, of which JAX else takes most for one process.

    Args:
        agents: how many.
        cores: that there are to share.
        gpus: names of NVIDIA's, as ``CUDA_VISIBLE_DEVICES`` has them.
    """
    return tuple(
        Placement(cores=share, environ=_environ(slot, agents, gpus))
        for slot, share in enumerate(_shares(agents, tuple(cores)))
    )


def gpus_of(environ: Mapping[str, str], *, folder: Path = _GPUS) -> tuple[str, ...]:
    """Returns the names of NVIDIA's GPUs that a process with this environment sees, without asking JAX.

    Args:
        environ: of the process.
        folder: where the driver lists them.
    """
    platforms = {name.strip().lower() for name in environ.get("JAX_PLATFORMS", "").split(",")} - {""}
    if platforms and not platforms & _NVIDIA:
        return ()
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in (word.strip() for word in visible.split(",")) if name and name != "-1")
    return tuple(str(number) for number, _ in enumerate(folder.glob("*")))


def cores_here() -> tuple[int, ...]:
    """Returns the cores that this process may use; of systems that do not tell, none."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def memory_share(together: float) -> dict[str, str]:
    """Returns what limits an agent to its part of a GPU's memory that so many share."""
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{_SHARED_MEMORY / together:.3f}"}


def _shares(count: int, things: tuple[T, ...]) -> tuple[tuple[T, ...], ...]:
    """Returns ``count`` runs of ``things`` that are as equal as can be; one thing each, in turn, if there are fewer."""
    if len(things) < count:
        return tuple(things[place % len(things) :][:1] if things else () for place in range(count))
    ends = [len(things) * place // count for place in range(count + 1)]
    return tuple(things[begin:end] for begin, end in pairwise(ends))


def _environ(slot: int, agents: int, gpus: Sequence[str]) -> dict[str, str]:
    if not gpus:
        return {}
    shown = {"CUDA_VISIBLE_DEVICES": ",".join(_shares(agents, tuple(gpus))[slot])}
    together = -(-agents // len(gpus))
    return shown | memory_share(together) if together > 1 else shown
