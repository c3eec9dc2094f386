"""Random crops, resized back: torchvision's ``RandomResizedCrop``.

As there (``torchvision.transforms.RandomResizedCrop.get_params``): ten attempts, each with an area uniform between the
least and the whole, and a width / height log-uniform between the least and its inverse; sides are rounded to pixels;
the first attempt that fits into the image is put at a uniform place. If none fits, the crop is the largest central one
with an allowed width / height, which for a square image is the whole of it. On the device the ten attempts are drawn
together instead of one after the other, which gives the same distribution.

Dimension letters: N images, H height, W width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct

__all__ = ["Box", "crop_and_resize", "draw_boxes"]

_ATTEMPTS = 10


@struct.dataclass
class Box:
    """Part of an image, in whole pixels, int32."""

    top: jax.Array
    left: jax.Array
    height: jax.Array
    width: jax.Array


def draw_boxes(key: jax.Array, area_min: jax.Array, aspect_min: jax.Array, num: int, size: tuple[int, int]) -> Box:
    """Returns ``num`` random crops of images of ``size`` (H, W), each attribute [N]; consumes ``key``."""
    area_key, aspect_key, top_key, left_key = jax.random.split(key, 4)
    shape = (num, _ATTEMPTS)
    area = size[0] * size[1] * jax.random.uniform(area_key, shape, minval=area_min, maxval=1.0)
    log_aspect = jnp.log(aspect_min) * jax.random.uniform(aspect_key, shape, minval=-1.0, maxval=1.0)
    heights = jnp.round(jnp.sqrt(area / jnp.exp(log_aspect))).astype(jnp.int32)
    widths = jnp.round(jnp.sqrt(area * jnp.exp(log_aspect))).astype(jnp.int32)
    fits = (heights > 0) & (heights <= size[0]) & (widths > 0) & (widths <= size[1])
    first = jnp.argmax(fits, axis=1)[:, None]
    fallback = _largest_allowed(aspect_min, size)
    found = jnp.any(fits, axis=1)
    height = jnp.where(found, jnp.take_along_axis(heights, first, axis=1)[:, 0], fallback.height)
    width = jnp.where(found, jnp.take_along_axis(widths, first, axis=1)[:, 0], fallback.width)
    top = jnp.where(found, _place(top_key, size[0] - height), fallback.top)
    left = jnp.where(found, _place(left_key, size[1] - width), fallback.left)
    return Box(top=top, left=left, height=height, width=width)


def crop_and_resize(image: jax.Array, box: Box) -> jax.Array:
    """Returns what is in ``box`` at the size of the whole: bilinear, half-pixel centres, nothing from outside the box.

    Args:
        image: float32 [H, W, C].
        box: scalars; it lies within the image, so the resize never shrinks and needs no antialiasing.
    """
    low, high, part = _between(box.top, box.height, image.shape[0])
    part = part[:, None, None]
    image = image[low] * (1.0 - part) + image[high] * part
    low, high, part = _between(box.left, box.width, image.shape[1])
    part = part[:, None]
    return image[:, low] * (1.0 - part) + image[:, high] * part


def _largest_allowed(aspect_min: jax.Array, size: tuple[int, int]) -> Box:
    height = jnp.minimum(size[0], jnp.round(size[1] / aspect_min)).astype(jnp.int32)
    width = jnp.minimum(size[1], jnp.round(size[0] / aspect_min)).astype(jnp.int32)
    return Box(top=(size[0] - height) // 2, left=(size[1] - width) // 2, height=height, width=width)


def _place(key: jax.Array, room: jax.Array) -> jax.Array:
    """Returns whole numbers uniform in 0 … ``room``, int32 [N]."""
    place = jnp.floor(jax.random.uniform(key, room.shape) * (room + 1)).astype(jnp.int32)
    return jnp.minimum(place, room)


def _between(start: jax.Array, length: jax.Array, num: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns for each of ``num`` new pixels the two old ones it lies between, and how far along, exactly."""
    steps = (2 * jnp.arange(num) + 1) * length - num  # 2 num × the new centre in old pixels
    steps = jnp.clip(steps, 0, (length - 1) * 2 * num)
    low = steps // (2 * num)
    part = (steps - low * 2 * num).astype(jnp.float32) / (2 * num)
    return start + low, start + jnp.minimum(low + 1, length - 1), part
