"""Sizes as a family finds them in configs and hyperparameters, which anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.options import options_of

__all__ = ["MOST_BLOCKS", "Sizes"]

_LARGEST = 2**24
MOST_BLOCKS = 10_000
"""Of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What one model's config and hyperparameters say.

    Attributes:
        family: how messages call the family.
        config: of its architecture.
        own: its hyperparameters.
    """

    family: str
    config: Mapping[str, Any]
    own: Mapping[str, Any]

    def fixed(self, name: str) -> int:
        """Returns a size that the architecture says.

        Raises:
            InvalidInputError: it says none, or no sensible one; so do the others.
        """
        return self._checked(self.config, name)

    def chosen(self, name: str, *, default: int | None = None, least: int = 1, most: int = _LARGEST) -> int:
        """Returns a size that the hyperparameters say; where they say none, ``default`` if that is given."""
        if default is not None and name not in self.own:
            return default
        return self._checked(self.own, name, least=least, most=most)

    @property
    def blocks(self) -> int:
        """How many blocks ``num_layers`` says."""
        return self.chosen("num_layers", least=0, most=MOST_BLOCKS)

    @property
    def image(self) -> int:
        """Height and width, in pixels, of the images it takes: of ``image_size``, where there is one, or ``image``."""
        return self.chosen("image_size") if "image_size" in self.own else self.fixed("image")

    @property
    def patches(self) -> int:
        """How many patches of ``patch`` pixels on a side an image has; the width is one of whole heads."""
        image, patch, width, heads = self.image, self.fixed("patch"), self.fixed("width"), self.fixed("heads")
        if image % patch or width % heads:
            raise InvalidInputError(
                f"{self.family}: image {image} must be a multiple of patch {patch}, and width {width} of heads {heads}."
            )
        return (image // patch) ** 2

    @property
    def channels(self) -> int:
        """Numbers per pixel: 3 of colour, 1 of grey."""
        if (channels := self.fixed("channels")) not in {1, 3}:
            raise InvalidInputError(f"{self.family}: channels: expected 1 or 3, got {channels}.")
        return channels

    @property
    def options(self) -> Mapping[str, str | float]:
        """How it computes where that is not as usual."""
        return options_of(self.config)

    def _checked(self, values: Mapping[str, Any], name: str, *, least: int = 1, most: int = _LARGEST) -> int:
        size = values.get(name)
        if isinstance(size, bool) or not isinstance(size, int) or not least <= size <= most:
            found = f"{self.family}: {name}: expected a whole number from {least} to {most}"
            raise InvalidInputError(f"{found}, got {str(size)[:80]}.")
        return size
