"""The formats of images that are read, by name: no other is ever opened, and none of these starts another program."""

from __future__ import annotations

from functools import cache
from importlib import import_module

__all__ = ["HEIF_ENDINGS", "endings", "readable", "why_unknown"]

_FORMATS = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg"),
    "JPEG2000": (".j2k", ".jp2", ".jpf", ".jpx"),
    "PNG": (".apng", ".png"),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
HEIF_ENDINGS = (".heic", ".heif", ".hif")
"""Of the files that need the extra ``heic``."""

_UNKNOWN = "it is in none of the formats that are read"
_ODD_TIFF = "it is a TIFF of a kind that is not read; grey has 1 to 32 bits, colour 8 or 16"
_NOT_READ = {
    b"II*\0": _ODD_TIFF,
    b"MM\0*": _ODD_TIFF,
    b"version https://git-lfs": "it is a pointer of Git LFS; to get the image: git lfs pull",
}
_HEIC_MARKS = {b"ftypheic", b"ftypheix", b"ftypmif1"}


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


def why_unknown(data: bytes) -> str:
    """Returns why bytes are no image of a format that is read."""
    if not data:
        return "it is empty"
    if data[4:12] in _HEIC_MARKS and "HEIF" not in readable():
        return "it is HEIC, which needs: pip install 'mu2net[heic]'"
    return next((reason for mark, reason in _NOT_READ.items() if data.startswith(mark)), _UNKNOWN)
