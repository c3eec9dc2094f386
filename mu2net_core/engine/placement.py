"""Where arrays lie: on every device of a layout, or each child's on its own; and memory that was freed goes back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import jax
import numpy as np

from mu2net_core.engine.layout import Layout

__all__ = ["Placement", "give_back_freed"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placement:
    """Puts arrays on the devices of ``layout``, and says beforehand how they will lie there."""

    layout: Layout

    def put(self, array: np.ndarray | np.generic | jax.Array) -> jax.Array:
        """Returns an array on every device."""
        placed: jax.Array = jax.device_put(array, self._where(together=False))
        return placed

    def put_all(self, trees: Sequence[T]) -> T:
        """Returns one tree on the devices, to be consumed: of one child as it is, of several with an axis of them.

        The arrays of several children are spread over the devices by that axis. What is consumed shares no memory.
        """
        together = len(trees) > 1
        tree = jax.tree.map(lambda *leaves: np.stack(leaves), *trees) if together else trees[0]
        placed: T = jax.device_put(tree, self._where(together=together), may_alias=False)
        return placed

    def promise(self, shape: tuple[int, ...], dtype: str | np.dtype, *, children: int = 0) -> jax.ShapeDtypeStruct:
        """Returns what stands for an array that will be put, for compiling ahead; of ``children`` if there are any."""
        together = children > 1
        whole = (children, *shape) if together else shape
        return jax.ShapeDtypeStruct(whole, dtype, sharding=self._where(together=together))

    def _where(self, *, together: bool) -> jax.sharding.NamedSharding | None:
        if self.layout.num_devices == 1:
            return None
        return self.layout.children if together else self.layout.everywhere


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
