"""Images from bytes, and to the size and channels a model takes.

Dimension letters: H height, W width, C channels (1 or 3).
"""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mu2net_core.data.deep import UPPER_RANGE, Deep, ValueRange, bright, to_bytes
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
    "decode_whole",
    "fit",
    "read_image",
    "read_picture",
    "read_regular",
]

MAX_FILE_BYTES = 2**30
"""The largest image file that is read."""
_PIPED = "An image that comes through a pipe: mu2net predict TASK - < FILE"
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
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLE_FORMAT = 258, 262, 339
_UNSIGNED, _SIGNED = 1, 2
_SCALED = {"L;2": 85, "L;4": 17}
"""Raw modes of less than 8 bits, and what the decoder multiplies their values with."""
_ANIMATED, _ALPHA = 0x02, 0x10
"""Flags of a WebP file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image as a viewer shows it, and what was decided on the way.

    Attributes:
        pixels: uint8 [H, W, C], grey with one channel, anything else with three.
        transparent: there are parts one can see through; white lies behind them.
        first_of_many: the file holds more pictures, an animation or pages; this is the first.
        deep: its values were no bytes, most often of more than 8 bits.
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
        with Image.open(io.BytesIO(_with_alpha(data)), formats=readable()) as image:
            return _picture(image, data, values)
    except UnidentifiedImageError as exc:
        raise DataError(
            f"Cannot read the image {name}: {why_unknown(data)}.", hint=what_helps(data[:HEAD_BYTES])
        ) from exc
    except _BROKEN as exc:
        reason = str(exc).partition("<")[0].strip().removesuffix(".") or type(exc).__name__
        raise DataError(f"Cannot read the image {name}: {reason}.") from exc


def _with_alpha(data: bytes) -> bytes:
    """Returns the bytes of an animated WebP so that what its first frame leaves free is read as clear, not as black."""
    if data[8:16] == b"WEBPVP8X" and len(data) > 20 and data[20] & _ANIMATED:
        return data[:20] + bytes([data[20] | _ALPHA]) + data[21:]
    return data


def _picture(image: Image.Image, data: bytes, values: ValueRange | None) -> Picture:
    raw_modes = _raw_modes(image)
    upper_only = image.mode not in _DEEP_MODES and any(";16" in mode for mode in raw_modes)
    # A phone's photo in two versions (MPO) is one picture.
    many = image.format != "MPO" and bool(getattr(image, "is_animated", False))
    image.load()
    if upper_only and isinstance(image.info.get("transparency"), tuple):
        image = _without_colour(image, data)
    with suppress(*_BROKEN):  # EXIF that cannot be read turns nothing
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode in _DEEP_MODES or _is_signed(image):
        return _deep(image, values, many=many)
    if isinstance(key := image.info.get("transparency"), int) and image.mode == "L":
        image.info["transparency"] = key * _SCALED.get(next(iter(raw_modes), ""), 1)
    deep = _upper(np.asarray(image.convert("RGB"))) if upper_only else None
    image, transparent = _over_white(image)
    if image.mode in _GREY_MODES:
        pixels = np.asarray(image.convert("L"))[:, :, None]
    else:
        pixels = np.asarray(image.convert("RGB"))
    return Picture(pixels=pixels, transparent=transparent, first_of_many=many, deep=deep)


def _raw_modes(image: Image.Image) -> list[str]:
    """Returns how the values lie in the file that is about to be read; of colours of ``;16`` bits 8 are kept."""
    args = [tile[3] for tile in getattr(image, "tile", ())]
    return [str(arg[0] if isinstance(arg, tuple) else arg) for arg in args]


def _is_signed(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return image.mode == "L" and _SIGNED in tags.get(_TIFF_SAMPLE_FORMAT, ())


def _without_colour(image: Image.Image, data: bytes) -> Image.Image:
    """Returns a PNG of colours of sixteen bits, with one that is clear, as the upper eight bits and transparency."""
    key = np.asarray(image.info.pop("transparency"))
    with Image.open(io.BytesIO(data), formats=["PNG"]) as again:
        again.tile = [tile._replace(args="RGB;16L") for tile in again.tile]  # the other byte of each two
        lower = np.asarray(again).astype(np.uint16)
    clear = ((np.asarray(image).astype(np.uint16) << 8 | lower) == key).all(axis=-1)
    image.putalpha(Image.fromarray(np.where(clear, np.uint8(0), np.uint8(255))))
    return image


def _upper(pixels: np.ndarray) -> Deep:
    low, high = float(pixels.min()) * 256, float(pixels.max()) * 256 + 255
    read_from, read_to = UPPER_RANGE
    above = bright(pixels) * 256 + 255
    return Deep(low=low, high=high, bright=above, read_from=read_from, read_to=read_to, whole=True, upper_only=True)


def _deep(image: Image.Image, values: ValueRange | None, *, many: bool) -> Picture:
    numbers = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    bits = min(16, int(max(tags.get(_TIFF_BITS, (16,)))))
    if _is_signed(image):
        numbers, bits = numbers.view(np.int8), 7
    elif numbers.dtype == np.int32 and tags and _UNSIGNED in tags.get(_TIFF_SAMPLE_FORMAT, (_UNSIGNED,)):
        numbers = numbers.view(np.uint32)  # which the decoder does not tell apart
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
    if image.mode == "1" and isinstance(key := image.info.get("transparency"), int):
        image = image.convert("L")  # Pillow 11 finds no key in two colours
        image.info["transparency"] = 255 if key else 0
    clear = image.convert("RGBA")
    if clear.getchannel("A").getextrema() == (255, 255):
        return (image if image.mode in _GREY_MODES else clear), False
    white = Image.new("RGBA", clear.size, "white")
    composed = Image.alpha_composite(white, clear)
    return composed.getchannel("R") if image.mode in _GREY_MODES else composed.convert("RGB"), True


def decode_whole(data: bytes, name: str, values: ValueRange | None = None) -> Picture:
    """Returns an encoded image whose every value is read; arguments as for ``decode``.

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
    return picture


def decode_image(data: bytes, name: str, values: ValueRange | None = None) -> np.ndarray:
    """Returns an encoded image as uint8 [H, W, C]; arguments and errors as for ``decode_whole``."""
    return decode_whole(data, name, values).pixels


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


def read_regular(path: Path) -> bytes:
    """Returns what is in the file of an image; a pipe or a device is not read, nor waited for.

    Raises:
        DataError: it cannot be read, is no file, or is larger than any image that is read.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise DataError(f"Cannot read the image {path}: it is no regular file.", hint=_PIPED)
            if found.st_size > MAX_FILE_BYTES:
                raise DataError(
                    f"Cannot read the image {path}: expected at most {MAX_FILE_BYTES >> 20} MiB, found more."
                )
            return file.read(found.st_size)
    except (OSError, ValueError) as exc:  # a name with a zero in it is the latter
        raise DataError(f"Cannot read the image {path}: {getattr(exc, 'strerror', None) or exc}.") from exc


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_picture(path: Path, values: ValueRange | None = None) -> Picture:
    """Returns the image in a file; ``values`` as for ``decode``.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: it is a folder.
        DataError: it is no file, or not a whole image.
    """
    if path.is_dir():
        raise InvalidInputError(f"Expected an image file, found a folder: {path}.")
    try:
        data = read_regular(path)
    except DataError as exc:
        if isinstance(exc.__cause__, FileNotFoundError):
            raise NotFoundError(f"No such image: {path}.") from exc
        raise
    return decode_whole(data, str(path), values)


def read_image(path: Path, values: ValueRange | None = None) -> np.ndarray:
    """Returns the image in a file as uint8 [H, W, C]; arguments and errors as for ``read_picture``."""
    return read_picture(path, values).pixels
