"""Files called like images that are something else: no other format is opened, and no other program is started."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mu2net_core.api.models.pictures import Picture, find_pictures
from mu2net_core.data import describe_task
from mu2net_core.data.formats import readable
from mu2net_core.data.images import as_pixels, decode_image
from mu2net_core.errors import DataError

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(/tmp/x) (w) file\nshowpage\n%%EOF\n"


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, kind)
    return file.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(bytes(9))), (b"IEND", b"")]
    made = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


HOSTILE = {
    "EPS": EPS,
    "EPS in DOS": b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIIIH", 30, len(EPS), 0, 0, 0, 0, 0xFFFF) + EPS,
    "PDF": saved("PDF"),
    "ICNS": saved("ICNS"),
    "ICO": saved("ICO"),
    "PCX": saved("PCX"),
    "SGI": saved("SGI"),
    "TGA": saved("TGA"),
    "XBM": b"#define x_width 8\n#define x_height 8\nstatic char x_bits[] = {\n" + b"0x00," * 8 + b"};\n",
    "WMF": b"\xd7\xcd\xc6\x9a\0\0" + bytes(200),
    "EMF": b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(200),
    "PSD": b"8BPS\0\1" + bytes(200),
    "FITS": b"SIMPLE  =                    T" + b" " * 5000,
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "GRIB": b"GRIB" + bytes(4) + b"\1" + bytes(99),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(200),
    "a pickle": b"\x80\x04cposix\nsystem\n(S'touch /tmp/x'\ntR.",
    "more pixels than any image has": png(2**31 - 1, 2**31 - 1),
    "a text of gigabytes": png(8, 8, (b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26)))),
    "a TIFF of pages in a circle": b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 256, 3, 1, 8, 8),
    "a tag of four gigabytes": b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 700, 1, 2**32 - 1, 8, 0),
}


@pytest.fixture(autouse=True)
def _no_program_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **_: Any) -> None:
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr("os.system", refuse)


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.filterwarnings("ignore:Tag data larger than file")
def test_they_are_refused_by_whoever_reads_images(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Cannot read the image it"):
        decode_image(data, "it")
    with pytest.raises(DataError):
        as_pixels(data, "it")
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("L", (8, 8), number).save(tmp_path / "pets" / name / f"{number}.png")
    bad = tmp_path / "pets" / "dog" / "bad.png"
    bad.write_bytes(data)
    with pytest.raises(DataError, match=r"bad\.png"):
        describe_task(f"folder:{tmp_path / 'pets'}")
    described = describe_task(f"folder:{tmp_path / 'pets'}", options={"skip_bad": True})
    assert described.skipped == (str(bad),)
    (picture,) = find_pictures(bad, folder=tmp_path, warn=lambda _: None)
    assert isinstance(picture, Picture)
    with pytest.raises(DataError, match=r"bad\.png"):
        picture.read(None)


def test_nothing_that_starts_a_program_is_among_the_formats() -> None:
    assert not {"EPS", "PDF", "WMF", "ICNS", "IM", "PSD", "FPX", "MIC", "GRIB", "HDF5", "BUFR"} & set(readable())
