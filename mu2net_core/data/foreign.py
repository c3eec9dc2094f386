"""What a file is, told by how it begins: for those that lie where something else was expected."""

from __future__ import annotations

__all__ = ["HEAD_BYTES", "what_helps", "what_is_it"]

HEAD_BYTES = 512
"""How many of a file's first bytes are enough to tell."""

_LFS, _ANNEX, _PAGE = "a Git LFS pointer", "a git-annex pointer", "a web page"
_EMPTY, _ZEROS = "an empty file", "nothing but zeros"
_HELP = {
    _LFS: "Get the file itself where the repository was cloned: git lfs pull",
    _ANNEX: "Get the file itself where the repository was cloned: git annex get .",
    _PAGE: "Open it in a browser to see what the server says (a log-in, an error), and download the data anew.",
    "an XML document": "Open it to see what the server says (buckets answer so), and download the data anew.",
    _EMPTY: "Get the file again: nothing of it arrived.",
    _ZEROS: "Get the file again: its contents did not arrive.",
}
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", _LFS),
    (b"version https://hawser.github.com/spec/", _LFS),
    (b"\x93NUMPY", "a single NumPy array (.npy)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document (EPS)"),
    (b"8BPS", "a Photoshop document (PSD)"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\x00\x00\x01\x00", "an icon (ICO)"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance image (HDR)"),
    (b"SIMPLE  =", "a FITS file"),
    (b"BM", "a BMP image"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x00\x00\x08\x01", "a file of labels in MNIST's own format (IDX)"),
    (b"\x00\x00\x08\x03", "a file of images in MNIST's own format (IDX)"),
)
_MARKS = {(8, b"WEBP"): "a WebP image", (128, b"DICM"): "a DICOM file", (257, b"ustar"): "a tar archive"}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "an AVIF image"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "a HEIC image"),
    b"crx ": "a Canon raw photo (CR3)",
}
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


def what_is_it(head: bytes) -> str | None:
    """Returns what a file is whose first bytes (``HEAD_BYTES`` or more, or all) are ``head``, or None if unknown.

    The words fit after "is": ``"a Git LFS pointer"``, ``"a web page"``, ``"a ZIP archive"``.
    """
    if not head:
        return _EMPTY
    if not head.strip(b"\x00"):
        return _ZEROS
    if head.startswith(_PICKLES):
        return "a Python pickle, which is never read: it could run anything"
    if (inside := _marked(head)) is not None:
        return inside
    return next((what for beginning, what in _BEGINNINGS if head.startswith(beginning)), _text(head))


def what_helps(head: bytes) -> str | None:
    """Returns what its owner can do to have the real file, where ``what_is_it`` tells that this is not it."""
    return _HELP.get(what_is_it(head) or "")


def _marked(head: bytes) -> str | None:
    """Returns what a file is whose mark does not stand at its beginning."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "a video")
    if head[:4] in {b"II*\x00", b"MM\x00*"} and head[8:10] == b"CR":
        return "a Canon raw photo (CR2)"
    return next((what for (start, mark), what in _MARKS.items() if head.startswith(mark, start)), None)


def _text(head: bytes) -> str | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return _PAGE
    if b"<svg" in start:
        return "an SVG drawing"
    if start.startswith((b"<?xml", b"<error>")):
        return "an XML document"
    if b"annex/objects/" in start:
        return _ANNEX
    if start.startswith((b'{"', b"[{", b"{\n", b"{\r", b"{ ", b"{}", b"[]")):
        return "JSON text"
    return None
