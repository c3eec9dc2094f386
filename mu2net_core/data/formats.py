"""The formats of images that are read, by name: no other is ever opened, and none of these starts another program."""

from __future__ import annotations

from functools import cache
from importlib import import_module

__all__ = ["HEIF_ENDINGS", "endings", "readable"]

_FORMATS = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jif", ".jpe", ".jpeg", ".jpg", ".mpo"),
    "JPEG2000": (".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx"),
    "PNG": (".apng", ".png"),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
HEIF_ENDINGS = (".heic", ".heif", ".hif")
"""Of the files that need the extra ``heic``."""


@cache
def readable() -> tuple[str, ...]:
    """Returns the formats that can be read here, as Pillow names them."""
    try:
        import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return tuple(_FORMATS)
    return (*_FORMATS, "HEIF")


def endings() -> frozenset[str]:
    """Returns what names of images end with, lower case, that can be read here."""
    heif = HEIF_ENDINGS if "HEIF" in readable() else ()
    return frozenset((*(ending for group in _FORMATS.values() for ending in group), *heif))
