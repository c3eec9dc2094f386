"""How random schedules run: how many, how long, where, and what their steps are drawn from."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

__all__ = ["CLONES", "LAYERS", "NIGHTLY", "memory_folder", "schedule_settings"]

NIGHTLY: Final = os.environ.get("MU2NET_TEST_PROFILE") == "nightly"
CLONES: Final = st.integers(0, 2)
LAYERS: Final = st.lists(st.sampled_from(["embedding", "encoderblock_0", "head"]), min_size=1, max_size=3, unique=True)
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there


def memory_folder() -> Path:
    """Returns a new folder, in memory where there is one."""
    return Path(tempfile.mkdtemp(prefix="mu2net-", dir=_MEMORY if _MEMORY.is_dir() else None))


def schedule_settings(examples: int, steps: int, *, shortens: bool = True) -> settings:
    """Returns how to run so many schedules of so many steps: always the same ones, but for the nightly ones.

    Args:
        examples: how many schedules.
        steps: of each, at most.
        shortens: whether one that fails is made short, which takes minutes; at night all are.
    """
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=not NIGHTLY,
        database=None,
        phases=list(Phase) if NIGHTLY or shortens else [Phase.generate],
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
