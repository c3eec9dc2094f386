"""What encoding an image as JPEG and decoding it does to the pixels, without the bytes in between.

Follows libjpeg-turbo's default settings (and so Pillow, and ``tf.image.adjust_jpeg_quality``): YCbCr, chroma halved
both ways, 8×8 DCT ("islow"), the standard quantisation tables scaled by the quality, "fancy" (triangular) upsampling.
All of it is in whole numbers, rounded where libjpeg rounds, so that images wider than 4 pixels come out exactly as from
the real thing, on every device.

Dimension letters: H height, W width, B blocks.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["recompress"]

# Tables K.1 and K.2 of ITU-T T.81, row by row.
_LUMA = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61),
        *(12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77),
        *(24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101),
        *(72, 92, 95, 98, 112, 100, 103, 99),
    ],
    np.int32,
)
_CHROMA = np.full((8, 8), 99, np.int32)
_CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def _transform() -> np.ndarray:
    """Returns the 8×8 DCT times √8 in 13-bit fixed point [8, 8], with the last digits of libjpeg's constants."""
    left = np.array(
        [
            *((8192, 8192, 8192, 8192), (11363, 9633, 6437, 2260), (10703, 4433, -4433, -10703)),
            *((9633, -2259, -11362, -6436), (8192, -8192, -8192, 8192), (6437, -11362, 2261, 9633)),
            *((4433, -10704, 10704, -4433), (2260, -6436, 9633, -11363)),
        ],
        np.int32,
    )
    signs = np.where(np.arange(8)[:, None] % 2, -1, 1)
    return np.concatenate([left, left[:, ::-1] * signs], axis=1).astype(np.int32)


_DCT = _transform()


def recompress(image: jax.Array, quality: jax.Array) -> jax.Array:
    """Returns ``image`` as it comes back from a JPEG file.

    Args:
        image: int32 [H, W, 3] in 0 … 255.
        quality: int32 in 0 … 100, libjpeg's.
    """
    height, width = image.shape[:2]
    luma, *chroma = _to_ycbcr(image)
    luma = _through_blocks(_pad(luma, 8, 8), _scaled(_LUMA, quality))[:height, :width]
    table = _scaled(_CHROMA.ravel(), quality)
    size = (-(-height // 2), -(-width // 2))
    halves = [_through_blocks(_pad(_halved(_pad(c, 2, 16)), 8, 8), table)[: size[0], : size[1]] for c in chroma]
    blue, red = (_doubled(half)[:height, :width] for half in halves)
    return _to_rgb(luma, blue, red)


def _scaled(table: np.ndarray, quality: jax.Array) -> jax.Array:
    quality = jnp.clip(quality, 1, 100)
    percent = jnp.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return jnp.clip((table * percent + 50) // 100, 1, 255)


def _to_ycbcr(image: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    half, middle = 1 << 15, 128 << 16
    luma = (19595 * red + 38470 * green + 7471 * blue + half) >> 16
    to_blue = (-11059 * red - 21709 * green + 32768 * blue + middle + half - 1) >> 16
    to_red = (32768 * red - 27439 * green - 5329 * blue + middle + half - 1) >> 16
    return luma, to_blue, to_red


def _to_rgb(luma: jax.Array, to_blue: jax.Array, to_red: jax.Array) -> jax.Array:
    to_blue, to_red, half = to_blue - 128, to_red - 128, 1 << 15
    red = luma + ((91881 * to_red + half) >> 16)
    green = luma + ((-22554 * to_blue - 46802 * to_red + half) >> 16)
    blue = luma + ((116130 * to_blue + half) >> 16)
    return jnp.clip(jnp.stack([red, green, blue], axis=-1), 0, 255)


def _pad(plane: jax.Array, rows: int, columns: int) -> jax.Array:
    """Returns ``plane`` [H, W] with its edge repeated until the sides are multiples of ``rows`` and ``columns``."""
    height, width = plane.shape
    return jnp.pad(plane, ((0, -height % rows), (0, -width % columns)), mode="edge")


def _halved(plane: jax.Array) -> jax.Array:
    sums = plane[::2, ::2] + plane[::2, 1::2] + plane[1::2, ::2] + plane[1::2, 1::2]
    return (sums + 1 + jnp.arange(sums.shape[1]) % 2) >> 2


def _doubled(plane: jax.Array) -> jax.Array:
    """Returns ``plane`` twice as high and wide: 3/4 of the nearer and 1/4 of the further pixel each way."""
    rows = _neighbours(plane)  # 4 × the pixels
    columns = jnp.swapaxes(_neighbours(jnp.swapaxes(rows, 0, 1)), 0, 1)
    return (columns + 8 - jnp.arange(columns.shape[1]) % 2) >> 4


def _neighbours(plane: jax.Array) -> jax.Array:
    before = jnp.concatenate([plane[:1], plane[:-1]])
    after = jnp.concatenate([plane[1:], plane[-1:]])
    return jnp.stack([3 * plane + before, 3 * plane + after], axis=1).reshape(-1, plane.shape[1])


def _through_blocks(plane: jax.Array, table: jax.Array) -> jax.Array:
    """Returns ``plane``, sides multiples of 8, after each block's coefficients were rounded to ``table`` [64]."""
    height, width = plane.shape
    table = table.reshape(8, 8, 1)
    blocks = plane.reshape(height // 8, 8, width // 8, 8).transpose(1, 3, 0, 2).reshape(8, 8, -1)
    found = _pass(_pass(blocks - 128, _DCT, 1, 11), _DCT, 0, 15)  # 8 × the coefficients
    steps = jnp.sign(found) * ((jnp.abs(found) + 4 * table) // (8 * table))
    kept = _pass(_pass(steps * table, _DCT.T, 0, 11), _DCT.T, 1, 18)
    blocks = jnp.clip(kept + 128, 0, 255).reshape(8, 8, height // 8, width // 8)
    return blocks.transpose(2, 0, 3, 1).reshape(height, width)


def _pass(blocks: jax.Array, matrix: np.ndarray, axis: int, bits: int) -> jax.Array:
    """Returns ``matrix`` [8, 8] times each line of ``blocks`` [8, 8, B] along ``axis``, divided by 2 ** ``bits``."""
    lines = jnp.moveaxis(blocks, axis, 0)
    sums = jnp.sum(matrix[:, :, None, None] * lines, axis=1)
    return jnp.moveaxis((sums + (1 << (bits - 1))) >> bits, 0, axis)
