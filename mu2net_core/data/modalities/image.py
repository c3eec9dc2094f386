"""Images: encoded files or pixels, resized to what a model takes, and changed at random while it is trained."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mu2net_core.data.deep import range_of
from mu2net_core.data.images import as_pixels, fit
from mu2net_core.data.modality import Change, Modality, Reader
from mu2net_core.data.source import Options
from mu2net_core.data.survey import ImageSurvey
from mu2net_core.objects import PREPARATION, Hyperparameter, Image, Input

__all__ = ["IMAGES"]


class Images(Modality):
    """What a model takes is uint8 [H, W, C], whatever size and mode an image has."""

    kind = "image"
    plural = "images"
    dtype = "uint8"
    preparation = frozenset(PREPARATION)

    def survey(self, options: Options) -> ImageSurvey:
        """Returns what decodes and looks at every image."""
        return ImageSurvey(range_of(options))

    def own_shape(self, given: Input) -> tuple[int, ...] | None:
        """Returns [H, W, C], None where sizes vary."""
        if not isinstance(given, Image) or given.height is None or given.width is None:
            return None
        return (given.height, given.width, given.channels)

    def refitted(self, example: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Returns an image, resized: it was decoded before."""
        height, width, channels = shape
        return fit(example, (height, width), channels)

    def reader(self, given: Input, shape: tuple[int, ...], options: Options) -> Reader:
        """Returns what decodes and resizes images to ``shape`` [H, W, C]."""
        del given
        (height, width, channels), values = shape, range_of(options)
        return lambda stored: fit(as_pixels(stored.input, stored.name, values), (height, width), channels)

    def change(self, hyperparameters: Mapping[str, Hyperparameter]) -> Change | None:
        """Returns the augmentation, None if every image stays as it is."""
        from mu2net_core.data.augmentation import Augmentation, augment_seeded, is_identity  # jax comes along

        if is_identity(hyperparameters):
            return None
        return Change(apply=augment_seeded, settings=Augmentation.of(hyperparameters))


IMAGES = Images()
