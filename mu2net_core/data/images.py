"""Images from bytes, and to the size and channels a model takes.

Dimension letters: H height, W width, C channels (1 or 3).
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from mu2net_core.errors import DataError, InvalidInputError, NotFoundError

__all__ = ["as_pixels", "decode_image", "fit", "read_image"]

# What Pillow's plug-ins raise on broken or hostile files.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_GREY_MODES = {"1", "L", "LA", "La"}
_WIDE_GREY_MODES = {"I;16", "I;16L", "I;16B", "I;16N"}


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Returns an encoded image as pixels: uint8 [H, W, C], grey with one channel, anything else with three.

    Transparency is dropped; 16-bit grey keeps its upper eight bits.

    Raises:
        DataError: the bytes are not a whole image; ``name`` says which.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _pixels(image)
    except _BROKEN as exc:
        reason = str(exc).partition("<")[0].strip() or type(exc).__name__
        raise DataError(f"Cannot read the image {name}: {reason}.") from exc


def _pixels(image: Image.Image) -> np.ndarray:
    if image.mode in _WIDE_GREY_MODES:
        grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
    elif image.mode in _GREY_MODES:
        grey = np.asarray(image.convert("L"))
    else:
        return np.asarray(image.convert("RGB"))
    return grey[:, :, None]


def as_pixels(image: bytes | np.ndarray, name: str) -> np.ndarray:
    """Returns a stored image, encoded or not, as uint8 [H, W, C]."""
    if isinstance(image, bytes):
        return decode_image(image, name)
    return image if image.ndim == 3 else image[:, :, None]


def fit(pixels: np.ndarray, size: tuple[int, int], channels: int = 3) -> np.ndarray:
    """Returns ``pixels`` in the given size and number of channels, uint8 [H, W, C].

    Resizing is bilinear, antialiased when it shrinks. Grey becomes three equal channels; colour becomes luma.

    Args:
        pixels: uint8 [H, W, C].
        size: (H, W) wanted.
        channels: 1 or 3.
    """
    if channels == 1 and pixels.shape[2] == 3:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
    if pixels.shape[:2] != size:
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        resized = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
        pixels = resized if resized.ndim == 3 else resized[:, :, None]
    if pixels.shape[2] != channels:
        pixels = np.broadcast_to(pixels, (*size, channels))
    return pixels


def read_image(path: Path) -> np.ndarray:
    """Returns the image in a file as uint8 [H, W, C].

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: it is a folder.
        DataError: it is not a whole image.
    """
    if path.is_dir():
        raise InvalidInputError(f"Expected an image file, found a folder: {path}.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise NotFoundError(f"No such image: {path}.") from exc
    except OSError as exc:
        raise DataError(f"Cannot read the image {path}: {exc.strerror}.") from exc
    return decode_image(data, str(path))
