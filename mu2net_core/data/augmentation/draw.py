"""What chance decides for each training image, apart from doing it.

Dimension letters: N images, H height, W width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct

from mu2net_core.data.augmentation.affine import Affine, draw_affine
from mu2net_core.data.augmentation.crop import Box, draw_boxes
from mu2net_core.data.augmentation.settings import Augmentation

__all__ = ["Draw", "draw"]

_AFFINE = 7
"""A key of its own, so that what else is drawn does not depend on it."""


@struct.dataclass
class Draw:
    """What happens to each of N images; everything is [N].

    Attributes:
        box: the crop.
        flip: bool, whether it is mirrored.
        affine: where it goes.
        brightness: float32, what is added.
        contrast: float32, factor.
        saturation: float32, factor.
        hue: float32, turns of the colour circle.
        quality: int32, of the JPEG encoding.
    """

    box: Box
    flip: jax.Array
    affine: Affine
    brightness: jax.Array
    contrast: jax.Array
    saturation: jax.Array
    hue: jax.Array
    quality: jax.Array


def draw(settings: Augmentation, key: jax.Array, num: int, size: tuple[int, int]) -> Draw:
    """Returns what happens to each of ``num`` images of ``size`` (H, W), independently; consumes ``key``."""
    box_key, flip_key, brightness_key, contrast_key, saturation_key, hue_key, quality_key = jax.random.split(key, 7)
    losses = jnp.round(100 * settings.jpeg_quality)  # as many qualities below 100
    loss = jnp.floor(jax.random.uniform(quality_key, (num,)) * (losses + 1))
    return Draw(
        box=draw_boxes(box_key, settings.crop_area_min, settings.crop_aspect_min, num, size),
        flip=jax.random.uniform(flip_key, (num,)) < 0.5 * settings.flip_left_right,
        affine=draw_affine(settings, jax.random.fold_in(key, _AFFINE), num, size),
        brightness=_around(brightness_key, 0.0, settings.brightness, num),
        contrast=_around(contrast_key, 1.0, settings.contrast, num),
        saturation=_around(saturation_key, 1.0, settings.saturation, num),
        hue=_around(hue_key, 0.0, settings.hue, num),
        quality=100 - jnp.minimum(loss, losses).astype(jnp.int32),
    )


def _around(key: jax.Array, centre: float, delta: jax.Array, num: int) -> jax.Array:
    return jax.random.uniform(key, (num,), minval=centre - delta, maxval=centre + delta)
