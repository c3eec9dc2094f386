"""What published models of all kinds have in common once they were found right: their layers can be read as ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mu2net_core.nn.checkpoint import BLOCK, Checkpoint, Shapes, check_total
from mu2net_core.nn.pretrained.published import unfit
from mu2net_core.objects import Limits

__all__ = ["PublishedLayers"]


class PublishedLayers(ABC):
    """A model of another library.

    Attributes:
        title: of its kind, for messages.
        sizes: as an architecture calls them.
        num_blocks: how many blocks it has.
        options: how it computes where that is not as usual, as an architecture calls it.
    """

    title: str
    sizes: Mapping[str, int]
    num_blocks: int
    options: Mapping[str, str | float]

    def __init__(self, where: Path, limits: Limits) -> None:
        self._where, self._limits = where, limits

    @abstractmethod
    def block(self, number: int) -> Mapping[str, np.ndarray]:
        """Returns the arrays of a block, in which a product has two sides."""

    @abstractmethod
    def layer(self, name: str, shapes: Shapes) -> Mapping[str, np.ndarray] | None:
        """Returns the arrays of a layer that is no block; None if the model has nothing of the kind."""

    def remarks(self, shapes: Mapping[str, Shapes]) -> Iterator[str]:
        """Yields what of the model is not taken as it is, in sentences."""
        taken = _num_blocks(shapes)
        if taken < self.num_blocks:
            yield f"Took the first {taken} of {self.num_blocks} blocks"

    def read(self, shapes: Mapping[str, Shapes]) -> Checkpoint:
        """Returns the layers named in ``shapes``, whose sizes are the model's; of more blocks the first are taken.

        Raises:
            InvalidInputError: there are fewer blocks, or no such layers.
            CorruptObjectError: numbers cannot be read, or are not finite.
        """
        check_total(shapes, self._limits)
        taken = _num_blocks(shapes)
        if taken > self.num_blocks:
            why = f"it has {self.num_blocks} blocks, and {taken} are asked for"
            raise unfit(self._where, why, "A smaller default.num_layers would fit.")
        layers = {layer: self._fitted(layer, arrays) for layer, arrays in shapes.items()}
        return Checkpoint(layers=layers, remarks=tuple(self.remarks(shapes)))

    def _fitted(self, layer: str, shapes: Shapes) -> dict[str, np.ndarray]:
        is_block = BLOCK.fullmatch(layer)
        arrays = self.block(int(layer.rpartition("_")[2])) if is_block else self.layer(layer, shapes)
        if arrays is None:
            raise unfit(self._where, f"no published model has {layer}", "Begin with a preset that has no adapters.")
        return {name: np.ascontiguousarray(arrays[name].reshape(shape), np.float32) for name, shape in shapes.items()}


def _num_blocks(shapes: Mapping[str, Shapes]) -> int:
    return sum(BLOCK.fullmatch(layer) is not None for layer in shapes)
