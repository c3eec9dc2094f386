"""Memory that was freed goes back to the machine, which others share."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress

__all__ = ["give_back_freed"]


def _allocators_own() -> Callable[[int], int] | None:
    """Returns glibc's function for it; other allocators have none, or need none."""
    with suppress(TypeError, OSError, AttributeError):
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        return trim
    return None


_trim = _allocators_own()


def give_back_freed() -> None:
    """Gives back what lies free between blocks in use; after arrays of megabytes that is as much as they were."""
    if _trim is not None:
        _trim(0)
