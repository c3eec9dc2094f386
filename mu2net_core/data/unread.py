"""Why bytes that should be an image are none that is read."""

from __future__ import annotations

import struct
import warnings
from contextlib import suppress
from io import BytesIO

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from mu2net_core.data.foreign import HEAD_BYTES, what_is_it
from mu2net_core.data.formats import readable

__all__ = ["why_unknown"]

_UNKNOWN = "it is in none of the formats that are read"
_ODD_TIFF = "it is a TIFF of a kind that is not read; grey has 1 to 32 bits, colour 8 or 16"
_ODD_FLOATS = "it is a TIFF of floating point with {} bits: save it with 32 (float32)"
_TIFF_BITS, _TIFF_SAMPLES, _TIFF_FLOATS = 258, 339, 3
_IMAGE = " image"
_READ = {"an AVIF", "a BMP", "a GIF", "a HEIC", "a JPEG", "a PNG", "a WebP"}
_BROKEN = (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, OverflowError, struct.error, UserWarning)


def why_unknown(data: bytes) -> str:
    """Returns why bytes are no image of a format that is read."""
    if not data:
        return "it is empty"
    what = what_is_it(data[:HEAD_BYTES])
    if what == "a HEIC image" and "HEIF" not in readable():
        return "it is HEIC, which needs: pip install 'mu2net[heic]'"
    if what is None:
        return _UNKNOWN
    if what == "a TIFF image":
        return _why_odd(data)
    if what.removesuffix(_IMAGE) in _READ:
        return f"it begins as {what}, but is damaged or not all there"
    return f"it is {what}, in none of the formats that are read"


def _why_odd(data: bytes) -> str:
    """Returns why a TIFF is not read."""
    with suppress(*_BROKEN), warnings.catch_warnings(action="error"):
        tags = ImageFileDirectory_v2(data[:8])
        file = BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        bits = max(tags.get(_TIFF_BITS, (1,)))
        if max(tags.get(_TIFF_SAMPLES, (1,))) == _TIFF_FLOATS and bits != 32:
            return _ODD_FLOATS.format(bits)
    return _ODD_TIFF
