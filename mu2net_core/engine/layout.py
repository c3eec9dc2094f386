"""How the children of a generation lie on the devices of this machine.

A mesh has an axis of children and an axis of the batch. One device: one child after the other. Several devices:
children that share a program are trained by it together, one on each, along the first axis. A model too large for that:
every device works on a part of each child's batch, along the second. Several children on one device only where that is
asked for: each number of them is another program, which takes longer to compile than it saves (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = ["BATCH", "CHILDREN", "Layout", "Strategy", "choose_layout", "default_layout"]

Strategy = Literal["auto", "sequential", "children", "batch"]

CHILDREN, BATCH = "children", "batch"
"""Names of the axes of the mesh."""

_MOST_PER_DEVICE = 8
_SHARE = 0.25
"""Of a device's memory that the children trained on it together may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The devices in use, and how many children are trained at a time.

    Attributes:
        devices: a row for each group of children, a column for each part of a batch.
        per_device: children that each group trains at the same time.
    """

    devices: tuple[tuple[jax.Device, ...], ...]
    per_device: int = 1

    @property
    def together(self) -> int:
        """How many children are trained at the same time."""
        return len(self.devices) * self.per_device

    @property
    def num_devices(self) -> int:
        """How many devices are used."""
        return len(self.devices) * self.batch_parts

    @property
    def batch_parts(self) -> int:
        """Over how many devices each batch is spread."""
        return len(self.devices[0])

    @property
    def mesh(self) -> Mesh:
        """The devices as JAX takes them."""
        return Mesh(np.array(self.devices, dtype=object), (CHILDREN, BATCH))

    @property
    def everywhere(self) -> NamedSharding:
        """Where an array lies that every device needs whole."""
        return NamedSharding(self.mesh, PartitionSpec())

    @property
    def children(self) -> NamedSharding:
        """Where an array lies whose first axis are children."""
        return NamedSharding(self.mesh, PartitionSpec(CHILDREN))


def default_layout() -> Layout:
    """Returns the layout of one child after the other on the first device."""
    return Layout(devices=((jax.local_devices()[0],),))


def choose_layout(
    strategy: Strategy, *, child_bytes: int, device_bytes: int, most: int, devices: Sequence[jax.Device]
) -> Layout:
    """Returns the layout for children that each take ``child_bytes`` while they are trained.

    Args:
        strategy: ``auto`` trains one after the other on a single device, spreads the batch over several if a child does
            not fit into a quarter of a device's memory, and has one child on each in every other case; ``children``
            has as many on each accelerator as fit.
        child_bytes: of parameters, momentum, gradients and activations.
        device_bytes: of each device's memory.
        most: children in a generation; no more are trained together.
        devices: to use.
    """
    found = tuple(devices)
    fit = int(device_bytes * _SHARE) // max(child_bytes, 1)
    spread = found[: max(most, 1)]
    one_each = Layout(devices=tuple((device,) for device in spread))
    match strategy:
        case "sequential":
            return Layout(devices=((found[0],),))
        case "batch":
            return Layout(devices=(found,))
        case "auto":
            return Layout(devices=(found,)) if fit < 1 else one_each
        case _:
            room = 1 if found[0].platform == "cpu" else min(max(fit, 1), _MOST_PER_DEVICE)
            return replace(one_each, per_device=min(room, -(-most // len(spread))))
