"""Where arrays lie: on every device of a layout, or each child's on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import jax
import numpy as np

from mu2net_core.engine.layout import Layout

__all__ = ["Placement"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placement:
    """Puts arrays on the devices of ``layout``, and says beforehand how they will lie there."""

    layout: Layout

    def put(
        self, array: np.ndarray | np.generic | jax.Array, *, together: bool = False, consumed: bool = False
    ) -> jax.Array:
        """Returns an array on every device; with ``together`` its first axis are children, each on its own.

        What will be ``consumed`` never shares memory with ``array``.
        """
        placed: jax.Array = jax.device_put(np.array(array) if consumed else array, self._where(together=together))
        return placed

    def put_all(self, trees: Sequence[T]) -> T:
        """Returns one tree on the devices, to be consumed: of one child as it is, of several with an axis of them."""
        if len(trees) == 1:
            alone: T = jax.tree.map(lambda leaf: self.put(leaf, consumed=True), trees[0])
            return alone
        several: T = jax.tree.map(lambda *leaves: self.put(np.stack(leaves), together=True), *trees)
        return several

    def promise(self, shape: tuple[int, ...], dtype: str | np.dtype, *, children: int = 0) -> jax.ShapeDtypeStruct:
        """Returns what stands for an array that will be put, for compiling ahead; of ``children`` if there are any."""
        together = children > 1
        whole = (children, *shape) if together else shape
        return jax.ShapeDtypeStruct(whole, dtype, sharding=self._where(together=together))

    def _where(self, *, together: bool) -> jax.sharding.NamedSharding | None:
        if self.layout.num_devices == 1:
            return None
        return self.layout.children if together else self.layout.everywhere
