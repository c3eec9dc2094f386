"""Crop, flip, affine, brightness, contrast, saturation, hue, JPEG: in this order, a bounded number of images at a time.

Dimension letters: N images, H height, W width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from mu2net_core.data.augmentation.affine import moved
from mu2net_core.data.augmentation.colour import adjust_contrast, adjust_hue_and_saturation
from mu2net_core.data.augmentation.crop import crop_and_resize
from mu2net_core.data.augmentation.draw import Draw, draw
from mu2net_core.data.augmentation.jpeg import recompress
from mu2net_core.data.augmentation.settings import Augmentation

__all__ = ["augment", "augment_seeded"]

_PIXELS_AT_ONCE = 2**18
"""Bounds the memory: about 100 bytes per pixel, 26 MB, beside input and output."""


def augment(images: jax.Array, settings: Augmentation, key: jax.Array) -> jax.Array:
    """Returns ``images``, each changed at random and independently of the others; consumes ``key``.

    With every setting off they come back unchanged. Steps that are off are not computed.

    Args:
        images: uint8 [N, H, W, 3].
        settings: how strongly; run-time values.
        key: a key; the same one gives the same images.
    """
    num, height, width = images.shape[:3]
    draws = draw(settings, key, num, (height, width))
    at_once = max(1, min(num, _PIXELS_AT_ONCE // (height * width)))
    changed: jax.Array = jax.lax.map(
        lambda one: _augment_one(one[0], settings, one[1]), (images, draws), batch_size=at_once
    )
    return changed


def augment_seeded(images: jax.Array, settings: Augmentation, words: jax.Array) -> jax.Array:
    """Returns the same for the data of a threefry key, uint32 [2]."""
    return augment(images, settings, jax.random.wrap_key_data(words, impl="threefry2x32"))


def _augment_one(image: jax.Array, settings: Augmentation, draws: Draw) -> jax.Array:
    # No condition depends on the image, so under lax.map each stays a branch and only one side is computed.
    pixels = image.astype(jnp.float32)
    cropping = (settings.crop_area_min < 1) | (settings.crop_aspect_min < 1)
    pixels = jax.lax.cond(cropping, crop_and_resize, lambda x, _: x, pixels, draws.box)
    pixels = jnp.where(draws.flip, pixels[:, ::-1], pixels)
    moving = settings.shift + settings.rotation + settings.scale + settings.shear > 0
    pixels = jax.lax.cond(moving, moved, lambda x, *_: x, pixels, draws.affine, settings.shift)
    colouring = settings.brightness + settings.contrast + settings.saturation + settings.hue > 0
    pixels = jax.lax.cond(colouring, _recolour, lambda x, *_: x, pixels, settings, draws)
    levels: jax.Array = jnp.round(pixels).astype(jnp.int32)
    levels = jax.lax.cond(settings.jpeg_quality > 0, recompress, lambda x, _: x, levels, draws.quality)
    return levels.astype(jnp.uint8)


def _recolour(pixels: jax.Array, settings: Augmentation, draws: Draw) -> jax.Array:
    image = adjust_contrast(pixels / 255 + draws.brightness, draws.contrast)
    scaling = settings.saturation > 0
    image = jax.lax.cond(
        scaling | (settings.hue > 0),
        lambda x: adjust_hue_and_saturation(x, draws.hue, draws.saturation, clip_saturation=scaling),
        lambda x: x,
        image,
    )
    return jnp.clip(image, 0.0, 1.0) * 255
