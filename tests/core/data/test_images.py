from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.data import fit, read_image
from mu2net_core.data.images import decode_image
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError


def png(mode: str, size: tuple[int, int] = (4, 2), colour: object = None) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("I;16", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)]
)
def test_every_mode_becomes_grey_or_colour(mode: str, channels: int) -> None:
    pixels = decode_image(png(mode), "x")
    assert pixels.shape == (2, 4, channels)
    assert pixels.dtype == np.uint8


def test_sixteen_bit_grey_keeps_its_upper_byte() -> None:
    assert decode_image(png("I;16", colour=0x8040), "x").max() == 0x80


@pytest.mark.parametrize("data", [b"", b"not an image", png("RGB", (64, 64))[:60], png("RGB")[:-20]])
def test_a_broken_image_is_named(data: bytes) -> None:
    with pytest.raises(DataError, match=r"Cannot read the image cats/7\.png: "):
        decode_image(data, "cats/7.png")


def test_fit_leaves_an_image_that_fits_alone() -> None:
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    assert fit(pixels, (4, 4)) is pixels


def test_grey_becomes_three_equal_channels_and_colour_becomes_luma() -> None:
    grey = np.array([[[0], [255]]], np.uint8)
    assert fit(grey, (1, 2)).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    white = np.full((1, 2, 3), 255, np.uint8)
    assert fit(white, (1, 2), channels=1).tolist() == [[[255], [255]]]


@pytest.mark.parametrize("channels", [1, 3])
def test_shrinking_averages(channels: int) -> None:
    checkers = np.indices((8, 8)).sum(axis=0)[:, :, None] % 2 * 255
    small = fit(np.repeat(checkers, channels, axis=2).astype(np.uint8), (2, 3), channels)
    assert small.shape == (2, 3, channels)
    assert abs(small.astype(int) - 127).max() < 30


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png("RGB", colour=(1, 2, 3)))
    assert read_image(tmp_path / "a.png")[0, 0].tolist() == [1, 2, 3]


def test_what_is_not_an_image_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(NotFoundError, match="No such image"):
        read_image(tmp_path / "b.png")
    with pytest.raises(InvalidInputError, match="found a folder"):
        read_image(tmp_path)
    with pytest.raises(DataError, match=r"Cannot read the image .*a\.txt"):
        read_image(tmp_path / "a.txt")
