"""Images of more than 8 bits: a rule that is the same for all of a data set, or a range, or a refusal."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.data import ExampleStream, describe_task, load_split, read_image
from mu2net_core.data.deep import ValueRange, range_of
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Task


@pytest.fixture
def cells(tmp_path: Path):
    """Returns a function that makes a data set: the first image of each class is ``dark``, all others ``light``."""

    def make(dark: float, light: float, dtype: type, *, file: str = "tif") -> Path:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            for index in range(10):
                values = np.full((4, 4), light if index else dark).astype(dtype)
                Image.fromarray(values).save(tmp_path / name / f"{index}.{file}")
        return tmp_path

    return make


def levels(task: Task) -> set[int]:
    return {int(level) for split in task.splits for level in np.unique(load_split(task, split, size=(4, 4)).images)}


@pytest.mark.parametrize(
    ("dark", "light", "dtype", "file"),
    [
        (0.1, 0.8, np.float32, "tif"),
        (0.1 * 65535, 0.8 * 65535, np.uint16, "tif"),
        (0.1 * 65535, 0.8 * 65535, np.uint16, "png"),
        (0.1 * 65535, 0.8 * 65535, np.int32, "tif"),
    ],
)
def test_values_become_levels_by_one_rule_that_is_told(
    cells, dark: float, light: float, dtype: type, file: str
) -> None:
    described = describe_task(f"folder:{cells(dark, light, dtype, file=file)}")
    assert levels(described.task) == {25 if dtype is not np.float32 else 26, 204}
    assert "20 of 20 images with more than 8 bits: values from 0 to" in described.notes[0]


@pytest.mark.parametrize(
    ("dark", "light", "dtype", "found", "suggested"),
    [
        (250, 3518, np.uint16, "250 to 3518", "0:4095"),
        (0, 900, np.int32, "0 to 900", "0:1023"),
        (0, 200, np.uint16, "0 to 200", "0:255"),
        (0, 200, np.float32, "0 to 200", "0:255"),
        (0, 1.5, np.float32, "0 to 1.5", "0:2"),
        (-1, 1, np.float32, "-1 to 1", "-1:1"),
        (-1024, 3071, np.int32, "-1024 to 3071", "-1024:3071"),
        (0, 100_000, np.int32, "0 to 100000", "0:131071"),
    ],
)
def test_values_that_no_rule_fits_are_refused_with_a_range_that_works(
    cells, dark: float, light: float, dtype: type, found: str, suggested: str
) -> None:
    folder = cells(dark, light, dtype)
    with pytest.raises(DataError, match=found) as error:
        describe_task(f"folder:{folder}")
    option = re.search(r"--range ([^; ]+)", str(error.value.hint))
    assert option is not None
    assert option[1] == suggested
    described = describe_task(f"folder:{folder}", options={"range": option[1]})
    low, high = (float(part) for part in suggested.split(":"))
    assert levels(described.task) == {round((value - low) / (high - low) * 255) for value in (dark, light)}
    assert described.task.options == {"range": suggested}


@pytest.mark.parametrize(("odd", "found"), [(-9999, "-9999 to 0.5"), (1e9, "0.5 to 1000000000"), (-3e38, "-3")])
def test_no_range_is_proposed_that_a_mark_for_missing_values_would_stretch(cells, odd: float, found: str) -> None:
    with pytest.raises(DataError, match=f"Expected values from 0 to 1, found {found}") as error:
        describe_task(f"folder:{cells(odd, 0.5, np.float32)}")
    assert str(error.value.hint).endswith("--range LOW:HIGH")


def test_images_that_are_meant_to_be_dark_are_read_as_they_are(cells) -> None:
    task = describe_task(f"folder:{cells(0, 2570, np.uint16)}", options={"range": "0:65535"}).task
    assert levels(task) == {0, 10}


def test_one_bright_image_shows_that_the_others_are_dark(cells) -> None:
    folder = cells(257, 514, np.uint16)
    Image.fromarray(np.full((4, 4), 60_000, np.uint16)).save(folder / "a" / "bright.tif")
    assert levels(describe_task(f"folder:{folder}").task) == {1, 2, 233}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("options", [{}, {"range": "0:1"}])
def test_values_that_are_no_numbers_are_refused(cells, bad: float, options: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"found 32 values infinite or not a number in 2 of 20 images: .*a/0\.tif"):
        describe_task(f"folder:{cells(bad, 0.5, np.float32)}", options=options)


def test_values_beyond_the_range_are_cut_off_and_told(cells) -> None:
    described = describe_task(f"folder:{cells(100, 5000, np.uint16)}", options={"range": "100:4195"})
    assert "18 of 20 images with values beyond the range, which are cut off" in described.notes[1]
    assert levels(described.task) == {0, 255}


def test_a_range_for_images_of_eight_bits_is_refused(cells) -> None:
    with pytest.raises(InvalidInputError, match=r"images of more than 8 bits; folder:.* has none"):
        describe_task(f"folder:{cells(0, 200, np.uint8)}", options={"range": "0:100"})


def test_dark_colours_of_sixteen_bits_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(5):
            (tmp_path / name / f"{index}.tif").write_bytes(_colour_tiff(4000))
    with pytest.raises(DataError, match="would be all but black") as error:
        describe_task(f"folder:{tmp_path}")
    assert error.value.hint == "Scale them to 8 bits first; if they are that dark: --range 0:65535"
    with pytest.raises(DataError, match="Colours of 16 bits are always read from 0 to 65535, not 0:4095"):
        describe_task(f"folder:{tmp_path}", options={"range": "0:4095"})
    assert levels(describe_task(f"folder:{tmp_path}", options={"range": "0:65535"}).task) == {15}


def _colour_tiff(value: int) -> bytes:
    """Returns a TIFF of one pixel, three times 16 bits, which Pillow does not write."""
    from struct import pack

    tags = [(256, 1), (257, 1), (258, None), (259, 1), (262, 2), (273, 8), (277, 3), (278, 1), (279, 6)]
    end = 14 + 2 + 12 * len(tags) + 4
    entries = [
        pack("<HHII", tag, 3, 3, end) if number is None else pack("<HHIHH", tag, 3, 1, number, 0)
        for tag, number in tags
    ]
    directory = pack("<H", len(tags)) + b"".join(entries) + pack("<I", 0)
    return pack("<2sHI", b"II", 42, 14) + pack("<3H", *[value] * 3) + directory + pack("<3H", 16, 16, 16)


def test_a_stream_and_a_prediction_read_the_same_range(cells) -> None:
    folder = cells(0, 4095, np.uint16)
    task = describe_task(f"folder:{folder}", options={"range": "0:4095"}).task
    with_stream = next(ExampleStream(task, "train", size=(4, 4)).in_order(chunk=12))
    assert with_stream.images.max() == 255
    assert read_image(folder / "a" / "1.tif", range_of(task.options)).max() == 255
    assert read_image(folder / "a" / "1.tif").max() == 16


def test_a_single_image_that_no_rule_fits_is_refused(cells) -> None:
    with pytest.raises(DataError, match=r"expected values from 0 to 1, found 7 to 7"):
        read_image(cells(0, 7, np.float32) / "a" / "1.tif")


@pytest.mark.parametrize("text", ["", "5", "a:b", "1:1", "2:1", "nan:1", "0:inf", "0:1:2"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(InvalidInputError, match="range"):
        ValueRange.parse(text)


@pytest.mark.parametrize(("text", "canonical"), [("0:4095", "0:4095"), ("-1.0:1", "-1:1"), (" 0 : .5", "0:0.5")])
def test_a_range_is_kept_in_one_way(text: str, canonical: str) -> None:
    assert str(ValueRange.parse(text)) == canonical
