"""How strongly training images are changed: the preprocessing hyperparameters as run-time values."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import struct

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import PREPARATION, Hyperparameter

__all__ = ["Augmentation", "is_identity"]


@struct.dataclass
class Augmentation:
    """The preprocessing hyperparameters as float32 scalars, so that no setting costs a compilation.

    Attributes:
        crop_area_min: least part of the image's area that a crop keeps; 1 keeps all.
        crop_aspect_min: least width / height of a crop in pixels, its inverse being the greatest.
        flip_left_right: 1 mirrors every second image on average, 0 none.
        shift: greatest way it moves up, down, left or right, in parts of the side; up to twice as far within a margin.
        rotation: greatest angle it is turned by, in degrees.
        scale: greatest relative change of its size.
        shear: greatest angle its columns are slanted by, in degrees.
        brightness: greatest amount added, images being in [0, 1].
        contrast: greatest relative change of the distance from the image's mean.
        saturation: greatest relative change of the saturation.
        hue: greatest shift, in turns of the colour circle.
        jpeg_quality: greatest loss of JPEG quality, in parts of 100; 0 does not encode at all.
    """

    crop_area_min: jax.Array
    crop_aspect_min: jax.Array
    flip_left_right: jax.Array
    shift: jax.Array
    rotation: jax.Array
    scale: jax.Array
    shear: jax.Array
    brightness: jax.Array
    contrast: jax.Array
    saturation: jax.Array
    hue: jax.Array
    jpeg_quality: jax.Array

    @classmethod
    def of(cls, hyperparameters: Mapping[str, Hyperparameter]) -> Augmentation:
        """Returns the settings in ``hyperparameters``; what is not named there is off.

        Raises:
            InvalidInputError: a value is not a number in its range.
        """
        return cls(**{name: jnp.float32(_value(name, hyperparameters)) for name in PREPARATION})


def is_identity(hyperparameters: Mapping[str, Hyperparameter]) -> bool:
    """Returns whether every image stays as it is, so that ``augment`` need not be called.

    Raises:
        InvalidInputError: a value is not a number in its range.
    """
    return all(_value(name, hyperparameters) == off for name, (off, _, _) in PREPARATION.items())


def _value(name: str, hyperparameters: Mapping[str, Hyperparameter]) -> float:
    off, least, greatest = PREPARATION[name]
    value = hyperparameters.get(name, off)
    if isinstance(value, str) or not least <= value <= greatest:
        raise InvalidInputError(
            f"Hyperparameter {name}: expected a number from {least:g} to {greatest:g}, got {value!r}."
        )
    return float(value)
