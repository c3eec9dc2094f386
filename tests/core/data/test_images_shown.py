"""An image is what a viewer shows: turned, over white, the first of several; of the formats that are named."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, TiffImagePlugin

from mu2net_core.data import describe_task, load_split, read_image
from mu2net_core.data.formats import endings
from mu2net_core.data.images import decode, decode_image
from mu2net_core.errors import DataError

WIDE = np.arange(2 * 3, dtype=np.uint8).reshape(2, 3) * 40
TURNED = {
    1: WIDE,
    2: WIDE[:, ::-1],
    3: WIDE[::-1, ::-1],
    4: WIDE[::-1],
    5: WIDE.T,
    6: np.rot90(WIDE, -1),
    7: WIDE[::-1, ::-1].T,
    8: np.rot90(WIDE, 1),
}


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_an_image_is_turned_as_its_orientation_says(orientation: int, kind: str) -> None:
    options: dict[str, object] = {"exif": oriented(orientation)} | ({"lossless": True} if kind == "WEBP" else {})
    pixels = decode_image(encoded(Image.fromarray(WIDE), kind, **options), "x")
    assert np.array_equal(pixels[:, :, 0], TURNED[orientation])


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_images_are_turned_too(dtype: type) -> None:
    values = (WIDE / 255 * (65535 if dtype is np.uint16 else 1)).astype(dtype)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x0112] = 6
    pixels = decode_image(encoded(Image.fromarray(values), "TIFF", tiffinfo=tags), "x")
    assert np.array_equal(pixels[:, :, 0], TURNED[6])


def test_the_size_of_a_task_is_that_of_the_turned_images(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(5):
            Image.new("L", (6, 4), index).save(tmp_path / name / f"{index}.jpg", exif=oriented(8))
    task = describe_task(f"folder:{tmp_path}").task
    assert (task.input.height, task.input.width) == (6, 4)
    assert read_image(tmp_path / "a" / "0.jpg").shape == (6, 4, 1)


@pytest.mark.parametrize("exif", [b"Exif\0\0nothing at all", b"Exif\0\0MM\0*", b"Exif\0\0II"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_that_cannot_be_read_turns_nothing(kind: str, exif: bytes) -> None:
    assert decode_image(encoded(Image.fromarray(WIDE), kind, exif=exif), "x").shape[:2] == (2, 3)


def _palette() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.putdata([0, 1])
    return image


def _keyed(mode: str, key: object) -> Image.Image:
    image = Image.new(mode, (2, 1), key)
    image.putpixel((1, 0), 1 if mode in {"L", "1"} else (1, 1, 1))
    return image


def _alpha(mode: str) -> Image.Image:
    image = Image.new(mode, (2, 1), 0)
    image.putpixel((1, 0), (*[0] * (len(mode) - 1), 255))
    return image


CLEAR_THEN_BLACK = {
    "rgba": encoded(_alpha("RGBA")),
    "rgba webp": encoded(_alpha("RGBA"), "WEBP", lossless=True),
    "rgba tiff": encoded(_alpha("RGBA"), "TIFF"),
    "grey with alpha": encoded(_alpha("LA")),
    "palette with a clear entry": encoded(_palette(), transparency=0),
    "palette with alpha": encoded(_palette(), transparency=bytes([0, 255])),
    "gif": encoded(_palette(), "GIF", transparency=0),
    "a clear level of grey": encoded(_keyed("L", 0), transparency=0),
    "a clear colour": encoded(_keyed("RGB", (0, 0, 0)), transparency=(0, 0, 0)),
}


@pytest.mark.parametrize("name", sorted(CLEAR_THEN_BLACK))
def test_white_lies_behind_what_one_can_see_through(name: str) -> None:
    picture = decode(CLEAR_THEN_BLACK[name], "x")
    assert picture.transparent
    assert picture.pixels[0, 0].min() == 255
    assert picture.pixels[0, 1].max() <= 1
    assert picture.pixels.shape[2] == (1 if "grey" in name else 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_half_transparent_black_is_grey_and_opaque_is_nothing_to_tell(mode: str) -> None:
    half, opaque = ((0,) * (len(mode) - 1) + (alpha,) for alpha in (128, 255))
    assert decode(encoded(Image.new(mode, (1, 1), half)), "x").pixels.max() == 127
    assert not decode(encoded(Image.new(mode, (1, 1), opaque)), "x").transparent


def test_a_palette_of_opaque_colours_is_nothing_to_tell() -> None:
    assert not decode(encoded(_palette(), transparency=bytes([255, 255])), "x").transparent


def test_a_clear_level_of_sixteen_bit_grey_is_white() -> None:
    picture = decode(_png16(0, np.array([[[700], [65535 // 2]]]), clear=struct.pack(">H", 700)), "x")
    assert (picture.transparent, picture.pixels[0, :, 0].tolist()) == (True, [255, 127])


def _png16(colour_type: int, values: np.ndarray, clear: bytes = b"") -> bytes:
    """Returns a PNG of 16 bits a value [H, W, C], which Pillow does not write in colour."""
    rows = [row.astype(">u2").tobytes() for row in values]
    return _png(16, colour_type, values.shape[1], rows, clear)


def _png(bits: int, colour_type: int, width: int, rows: list[bytes], clear: bytes = b"") -> bytes:
    """Returns a PNG of rows of packed values; ``clear`` is the level or colour one can see through."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), bits, colour_type, 0, 0, 0))
    middle = chunk(b"tRNS", clear) if clear else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + middle
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4)])
def test_colours_of_sixteen_bits_are_known_to_be_cut(colour_type: int, channels: int) -> None:
    deep = decode(_png16(colour_type, np.full((1, 1, channels), 4000)), "x").deep
    assert deep is not None
    assert (deep.upper_only, deep.high) == (True, 4095)


def test_a_clear_colour_of_sixteen_bits_is_white() -> None:
    values = np.array([[[1000, 2000, 3000], [60000, 0, 0]]])
    picture = decode(_png16(2, values, clear=struct.pack(">3H", 1000, 2000, 3000)), "x")
    assert (picture.transparent, picture.pixels[0].tolist()) == (True, [[255, 255, 255], [234, 0, 0]])


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_clear_level_of_few_bits_is_clear_and_no_other(bits: int) -> None:
    top = 2**bits - 1
    for key in {0, 1, top}:
        other = 1 if key == 0 else 0
        row = bytes([key, other]) if bits == 8 else bytes([(key << bits | other) << (8 - 2 * bits)])
        picture = decode(_png(bits, 0, 2, [row], clear=struct.pack(">H", key)), "x")
        assert picture.pixels[0, :, 0].tolist() == [255, round(other / top * 255)]
        assert picture.transparent


def test_a_clear_colour_of_sixteen_bits_is_that_colour_alone() -> None:
    near = np.array([[[40_000] * 3, [40_001] * 3]])
    picture = decode(_png16(2, near, clear=struct.pack(">3H", *[40_000] * 3)), "x")
    assert picture.pixels[0].tolist() == [[255] * 3, [40_001 >> 8] * 3]
    assert picture.transparent
    assert not decode(_png16(2, near, clear=struct.pack(">3H", *[40_002] * 3)), "x").transparent


def test_what_an_animation_leaves_free_is_clear_and_not_black() -> None:
    shape = np.zeros((16, 16, 4), np.uint8)
    shape[6:10] = (9, 9, 9, 255)
    second = Image.new("RGBA", (16, 16), (1, 2, 3, 255))
    data = encoded(Image.fromarray(shape), "WEBP", save_all=True, append_images=[second], lossless=True)
    picture = decode(data, "x")
    assert (picture.transparent, picture.first_of_many) == (True, True)
    assert [picture.pixels[row, 0].tolist() for row in (0, 7, 15)] == [[255] * 3, [9] * 3, [255] * 3]


@pytest.mark.parametrize(
    ("name", "data", "colour"),
    [
        ("cmyk jpeg", encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100), (255, 0, 0)),
        ("cmyk tiff", encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        ("one bit", encoded(Image.new("1", (8, 8), 1)), (255,)),
        ("white is zero", encoded(Image.fromarray(np.zeros((8, 8), np.uint16)), "TIFF", tiffinfo={262: 0}), (255,)),
        ("jpeg 2000", encoded(Image.new("RGB", (8, 8), (1, 2, 3)), "JPEG2000"), (1, 2, 3)),
        ("ppm", b"P6 1 1 255 " + bytes([1, 2, 3]), (1, 2, 3)),
        ("pgm of 12 bits", b"P5 1 1 4095 " + struct.pack(">H", 4095), (255,)),
        ("bmp", encoded(Image.new("RGB", (8, 8), (1, 2, 3)), "BMP"), (1, 2, 3)),
        ("avif", encoded(Image.new("RGB", (8, 8), (250, 250, 250)), "AVIF", quality=100), (250, 250, 250)),
    ],
)  # fmt: skip
def test_formats_and_modes_have_the_colours_they_show(name: str, data: bytes, colour: tuple[int, ...]) -> None:
    assert decode_image(data, name)[0, 0].tolist() == list(colour)


def test_heic_is_read_with_its_extra() -> None:
    pillow_heif.register_heif_opener()
    assert decode_image(encoded(Image.new("L", (64, 64), 200), "HEIF"), "x").mean() == pytest.approx(200, abs=3)
    assert {".heic", ".heif"} <= endings()


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "TGA", "PCX", "DDS"])
def test_no_other_format_is_opened(kind: str) -> None:
    with pytest.raises(DataError, match="in none of the formats that are read"):
        decode(encoded(Image.new("RGB", (16, 16)), kind), "x")


@pytest.mark.parametrize("kind", ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_an_image_with_any_byte_wrong_is_read_or_refused(kind: str) -> None:
    data = encoded(Image.new("RGB", (16, 16), (1, 2, 3)), kind)
    for place in range(0, len(data), 7):
        wrong = bytearray(data)
        wrong[place] ^= 255
        with suppress(DataError):
            decode(bytes(wrong), "x")


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_the_first_of_several_pictures_is_taken_and_known_to_be(kind: str) -> None:
    first, second = Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8), (255, 255, 255))
    picture = decode(encoded(first, kind, save_all=True, append_images=[second]), "x")
    assert (picture.first_of_many, int(picture.pixels.max())) == (True, 0)
    assert not decode(encoded(first, kind), "x").first_of_many


def test_a_phones_photo_in_two_versions_is_one_picture() -> None:
    data = encoded(Image.new("RGB", (8, 8)), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert not decode(data, "x").first_of_many


def test_what_was_decided_is_told_with_counts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(10):
            Image.new("RGB", (8, 8), index).save(tmp_path / name / f"{index}.png")
    (tmp_path / "a" / "icon.png").write_bytes(encoded(_alpha("LA").resize((8, 8))))
    (tmp_path / "b" / "wink.gif").write_bytes(
        encoded(Image.new("L", (8, 8)), "GIF", save_all=True, append_images=[Image.new("L", (8, 8), 9)])
    )
    described = describe_task(f"folder:{tmp_path}")
    assert described.notes[:2] == (
        "1 of 22 images with transparent parts: white lies behind them",
        "1 of 22 images in files of several (animations, pages): the first of each is used",
    )
    assert len(load_split(described.task, "train", shape=(8, 8, 3))) == 14


def test_images_that_are_white_on_nothing_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(5):
            image = Image.new("LA", (8, 8), (255, 0))
            image.putpixel((index, index), (255 if name == "a" else 0, 255))
            image.save(tmp_path / name / f"{index}.png")
    assert describe_task(f"folder:{tmp_path}").notes[:2] == (
        "10 of 10 images with transparent parts: white lies behind them",
        "5 of 10 images are nothing but white then: put another colour behind them",
    )
