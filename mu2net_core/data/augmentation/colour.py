"""Changes of colour: TensorFlow's ``tf.image.adjust_brightness``, ``_contrast``, ``_saturation`` and ``_hue``.

As there, images are in [0, 1] and values beyond are kept between the steps and clipped after the last one.

Dimension letters: H height, W width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["adjust_contrast", "adjust_hue_and_saturation"]


def adjust_contrast(image: jax.Array, factor: jax.Array) -> jax.Array:
    """Returns ``image`` [H, W, 3] with each channel's distance from its mean over the image times ``factor``."""
    mean = jnp.mean(image, axis=(0, 1))
    return (image - mean) * factor + mean


def adjust_hue_and_saturation(
    image: jax.Array, hue: jax.Array, saturation: jax.Array, *, clip_saturation: jax.Array
) -> jax.Array:
    """Returns ``image`` with its hue turned and its saturation scaled, in one way to HSV and back.

    Args:
        image: float32 [H, W, 3]; negative values count as saturations above 1.
        hue: turns of the colour circle to add.
        saturation: factor of the saturation.
        clip_saturation: whether to clip the saturation to [0, 1], as scaling it does and turning the hue does not.
    """
    value = jnp.max(image, axis=-1)
    span = value - jnp.min(image, axis=-1)
    sixths = _hue_in_sixths(image, value, span) + 6.0 * hue
    scaled = jnp.where(value > 0, span / value, 0.0) * saturation
    scaled = jnp.where(clip_saturation, jnp.clip(scaled, 0.0, 1.0), scaled)
    channels = []
    for offset in (5.0, 3.0, 1.0):
        place = _turned(sixths + offset)
        channels.append(value - value * scaled * jnp.clip(jnp.minimum(place, 4.0 - place), 0.0, 1.0))
    return jnp.stack(channels, axis=-1)


def _hue_in_sixths(image: jax.Array, value: jax.Array, span: jax.Array) -> jax.Array:
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    divisor = jnp.where(span > 0, span, 1.0)
    return jnp.where(
        value == red,
        (green - blue) / divisor,
        jnp.where(value == green, (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0),
    )


def _turned(sixths: jax.Array) -> jax.Array:
    return sixths - 6.0 * jnp.floor(sixths / 6.0)  # several times faster than jnp.mod
