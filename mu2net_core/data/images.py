"""Images from bytes, and to the size and channels a model takes.

Dimension letters: H height, W width, C channels (1 or 3).
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mu2net_core.data.deep import UPPER_RANGE, Deep, ValueRange, to_bytes
from mu2net_core.data.foreign import HEAD_BYTES, what_helps
from mu2net_core.data.formats import readable
from mu2net_core.data.unread import why_unknown
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError

__all__ = [
    "MAX_FILE_BYTES",
    "Picture",
    "as_pixels",
    "decode",
    "decode_image",
    "fit",
    "read_bounded",
    "read_image",
]

MAX_FILE_BYTES = 2**30
"""The largest image file that is read."""
_CHUNK_BYTES = 2**16

# Pillow refuses images of more than 179 million pixels, and warns from half of that on: a large photo, no news.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

# What Pillow's plug-ins raise on broken or hostile files.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_GREY_MODES = {"1", "L", "LA", "La"}
_DEEP_MODES = {"F", "I", "I;16", "I;16B", "I;16L", "I;16N"}
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image as a viewer shows it, and what was decided on the way.

    Attributes:
        pixels: uint8 [H, W, C], grey with one channel, anything else with three.
        transparent: there are parts one can see through; white lies behind them.
        first_of_many: the file holds more pictures, an animation or pages; this is the first.
        deep: its values had more than 8 bits.
    """

    pixels: np.ndarray
    transparent: bool = False
    first_of_many: bool = False
    deep: Deep | None = None


def decode(data: bytes, name: str, values: ValueRange | None = None) -> Picture:
    """Returns an encoded image: turned as its EXIF orientation says, over white, the first of several.

    Args:
        data: the file's bytes.
        name: says which one it is in messages.
        values: what is read of a picture of more than 8 bits; None for the rule of ``mu2net_core.data.deep``.

    Raises:
        DataError: the bytes are not a whole image of a known format.
    """
    try:
        with Image.open(io.BytesIO(data), formats=readable()) as image:
            return _picture(image, values)
    except UnidentifiedImageError as exc:
        raise DataError(
            f"Cannot read the image {name}: {why_unknown(data)}.", hint=what_helps(data[:HEAD_BYTES])
        ) from exc
    except _BROKEN as exc:
        reason = str(exc).partition("<")[0].strip().removesuffix(".") or type(exc).__name__
        raise DataError(f"Cannot read the image {name}: {reason}.") from exc


def _picture(image: Image.Image, values: ValueRange | None) -> Picture:
    upper_only = image.mode not in _DEEP_MODES and _is_16_bit(image)
    # A phone's photo in two versions (MPO) is one picture.
    many = image.format != "MPO" and bool(getattr(image, "is_animated", False))
    image.load()
    with suppress(*_BROKEN):  # EXIF that cannot be read turns nothing
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode in _DEEP_MODES:
        return _deep(image, values, many=many)
    if upper_only and isinstance(key := image.info.get("transparency"), tuple):
        image.info["transparency"] = tuple(level >> 8 for level in key)
    deep = _upper(np.asarray(image.convert("RGB"))) if upper_only else None
    image, transparent = _over_white(image)
    if image.mode in _GREY_MODES:
        pixels = np.asarray(image.convert("L"))[:, :, None]
    else:
        pixels = np.asarray(image.convert("RGB"))
    return Picture(pixels=pixels, transparent=transparent, first_of_many=many, deep=deep)


def _is_16_bit(image: Image.Image) -> bool:
    """Returns whether colours of sixteen bits are about to be read, of which the decoder keeps the upper eight."""
    args = [tile[3] for tile in getattr(image, "tile", ())]
    return any(";16" in str(arg[0] if isinstance(arg, tuple) else arg) for arg in args)


def _upper(pixels: np.ndarray) -> Deep:
    low, high = float(pixels.min()) * 256, float(pixels.max()) * 256 + 255
    return Deep(low=low, high=high, read_from=UPPER_RANGE[0], read_to=UPPER_RANGE[1], whole=True, upper_only=True)


def _deep(image: Image.Image, values: ValueRange | None, *, many: bool) -> Picture:
    numbers = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    bits = min(16, int(max(tags.get(_TIFF_BITS, (16,)))))
    grey, deep = to_bytes(numbers, bits=bits, wanted=values)
    if tags.get(_TIFF_PHOTOMETRIC) == 0:  # white is zero, which Pillow minds in 8 bits only
        grey = 255 - grey
    clear = numbers == image.info["transparency"] if "transparency" in image.info else np.zeros(grey.shape, bool)
    pixels = np.where(clear, np.uint8(255), grey)[:, :, None]
    return Picture(pixels=pixels, transparent=bool(clear.any()), first_of_many=many, deep=deep)


def _over_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """Returns an image without transparency, and whether it had any."""
    if not image.has_transparency_data:
        return image, False
    clear = image.convert("RGBA")
    if clear.getchannel("A").getextrema() == (255, 255):
        return (image if image.mode in _GREY_MODES else clear), False
    white = Image.new("RGBA", clear.size, "white")
    composed = Image.alpha_composite(white, clear)
    return composed.getchannel("R") if image.mode in _GREY_MODES else composed.convert("RGB"), True


def decode_image(data: bytes, name: str, values: ValueRange | None = None) -> np.ndarray:
    """Returns an encoded image as uint8 [H, W, C]; arguments as for ``decode``.

    Raises:
        DataError: the bytes are not a whole image, or hold values that are not read without a range.
    """
    picture = decode(data, name, values)
    deep = picture.deep
    if deep is not None and (deep.num_bad or (values is None and not deep.fits)):
        raise DataError(
            f"Cannot read the image {name}: expected values from {deep.read_from:g} to {deep.read_to:g}, found "
            + (f"{deep.num_bad} that are no number." if deep.num_bad else f"{deep.low:g} to {deep.high:g}."),
            hint="Save it with such values, or with 8 bits.",
        )
    return picture.pixels


def as_pixels(image: bytes | np.ndarray, name: str, values: ValueRange | None = None) -> np.ndarray:
    """Returns a stored image, encoded or not, as uint8 [H, W, C]; ``values`` as for ``decode``."""
    if isinstance(image, bytes):
        return decode_image(image, name, values)
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


def read_bounded(file: BinaryIO, name: str) -> bytes:
    """Returns what is in an open file.

    Raises:
        DataError: it is larger than any image that is read.
    """
    chunks, size = [], 0
    while chunk := file.read(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_FILE_BYTES:
            raise DataError(f"Cannot read the image {name}: expected at most {MAX_FILE_BYTES >> 20} MiB, found more.")
    return b"".join(chunks)


def read_image(path: Path, values: ValueRange | None = None) -> np.ndarray:
    """Returns the image in a file as uint8 [H, W, C]; ``values`` as for ``decode``.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: it is a folder.
        DataError: it is not a whole image.
    """
    if path.is_dir():
        raise InvalidInputError(f"Expected an image file, found a folder: {path}.")
    try:
        with path.open("rb") as file:
            data = read_bounded(file, str(path))
    except FileNotFoundError as exc:
        raise NotFoundError(f"No such image: {path}.") from exc
    except OSError as exc:
        raise DataError(f"Cannot read the image {path}: {exc.strerror}.") from exc
    return decode_image(data, str(path), values)
