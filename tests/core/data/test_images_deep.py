"""Images of more than 8 bits: a rule that is the same for all of a data set, or a range, or a refusal."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.data import ExampleStream, describe_task, load_split, read_image
from mu2net_core.data.deep import ValueRange, range_of
from mu2net_core.data.images import decode
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


def levels(task: Task, size: tuple[int, int] = (4, 4)) -> set[int]:
    return {
        int(level) for split in task.splits for level in np.unique(load_split(task, split, shape=(*size, 3)).inputs)
    }


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
        (0, 0.24, np.float32, "0 to 0.24", "0:0.24"),
        (278, 312, np.float32, "278 to 312", "278:312"),
        (277.4, 312.3, np.float32, "277.4 to 312.3", "277:313"),
        (-0.5, 0.5, np.float32, "-0.5 to 0.5", "-0.5:0.5"),
        (0, 100, np.float32, "0 to 100", "0:100"),
        (92, 100, np.float32, "92 to 100", "92:100"),
        (5.125, 5.25, np.float32, "5.125 to 5.25", "5.12:5.25"),
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
    assert str(error.value.hint).endswith("--range 0:1 (cuts off what lies beyond, in 2 images)")


def test_no_range_is_proposed_where_most_images_have_values_far_off(cells) -> None:
    folder = cells(-9999, 0.5, np.float32)
    replaced(folder, hot(0.5, -9999, np.float32), *range(10))
    Image.fromarray(hot(0.5, -9999, np.float32)).save(folder / "b" / "1.tif")
    with pytest.raises(DataError, match=r"found -9999 to 0\.5 in 12 of 20 images") as error:
        describe_task(f"folder:{folder}")
    assert str(error.value.hint).endswith("--range LOW:HIGH")


def test_images_that_are_meant_to_be_dark_are_read_as_they_are(cells) -> None:
    task = describe_task(f"folder:{cells(0, 2570, np.uint16)}", options={"range": "0:65535"}).task
    assert levels(task) == {0, 10}


def replaced(folder: Path, values: np.ndarray, *numbers: int) -> None:
    """Saves other values in the images of class ``a`` with these numbers."""
    for number in numbers:
        Image.fromarray(values).save(folder / "a" / f"{number}.tif")


def hot(value: float, at: float, dtype: type) -> np.ndarray:
    """Returns an image of one value, but for a pixel."""
    values = np.full((4, 4), value)
    values[1, 2] = at
    return values.astype(dtype)


@pytest.mark.parametrize("hot_in", [(3,), range(10)], ids=["one image", "half of them"])
def test_hot_pixels_do_not_hide_that_the_images_are_dark(cells, hot_in: range | tuple[int, ...]) -> None:
    folder = cells(300, 3900, np.uint16)
    replaced(folder, hot(3900, 65535, np.uint16), *hot_in)
    with pytest.raises(DataError, match="20 of 20 images would be all but black") as error:
        describe_task(f"folder:{folder}")
    assert f"300 to 3900, but for some up to 65535 in {len(hot_in)} image" in error.value.message
    assert f"--range 0:4095 (cuts off what lies beyond, in {len(hot_in)} image" in str(error.value.hint)
    described = describe_task(f"folder:{folder}", options={"range": "0:4095"})
    assert f"{len(hot_in)} of 20 images with values beyond the range, which are cut off" in described.notes[1]
    assert levels(described.task) == {19, 243, 255}


def test_a_hot_pixel_in_every_image_does_not_hide_it_either(cells) -> None:
    folder = cells(0, 3900, np.uint16)
    for name in ("a", "b"):
        for index in range(10):
            Image.fromarray(hot(3900 - index, 65535, np.uint16)).save(folder / name / f"{index}.tif")
    with pytest.raises(DataError, match="all but black") as error:
        describe_task(f"folder:{folder}")
    assert "--range 0:4095 (cuts off what lies beyond, in 20 images)" in str(error.value.hint)


def test_most_images_being_dark_is_refused_whatever_the_others_are(cells) -> None:
    folder = cells(257, 514, np.uint16)
    replaced(folder, np.full((4, 4), 60_000, np.uint16), 3)
    with pytest.raises(DataError, match=r"19 of 20 images would be all but black.* 60000 in 1 image") as error:
        describe_task(f"folder:{folder}")
    assert "--range 0:1023 (cuts off what lies beyond, in 1 image); if they are that dark: --range 0:65535" in str(
        error.value.hint
    )
    assert levels(describe_task(f"folder:{folder}", options={"range": "0:65535"}).task) == {1, 2, 233}


def test_some_images_being_all_but_black_is_told(cells) -> None:
    folder = cells(40_000, 60_000, np.uint16)
    replaced(folder, np.full((4, 4), 4095, np.uint16), *range(10))
    (_, note) = describe_task(f"folder:{folder}").notes[:2]
    assert note.startswith("10 of 20 images are all but black, ")
    assert note.endswith("bring all to one scale first")


def test_images_of_ordinary_brightness_are_nothing_to_tell(cells) -> None:
    notes = describe_task(f"folder:{cells(5000, 30_000, np.uint16)}").notes
    assert not [note for note in notes if "black" in note]


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


@pytest.mark.parametrize(
    ("low", "high", "suggested", "cut"),
    [(0, 1.025, "0:1", 18), (-0.02, 1.01, "0:1", 20), (0, 258, "0:255", 18), (-3, 250, "0:255", 2)],
)
def test_a_little_overshoot_does_not_double_the_range(cells, low: float, high: float, suggested: str, cut: int) -> None:
    with pytest.raises(DataError, match=f"found {low} to {high}") as error:
        describe_task(f"folder:{cells(low, high, np.float32)}")
    assert str(error.value.hint).endswith(f"--range {suggested} (cuts off what lies beyond, in {cut} images)")


def test_floating_point_that_stays_near_black_is_refused(cells) -> None:
    with pytest.raises(DataError, match=r"all but black: of values from 0 to 1 they have 0\.0005 to 0\.001") as error:
        describe_task(f"folder:{cells(0.0005, 0.001, np.float32)}")
    assert "--range 0:0.001" in str(error.value.hint)
    assert str(error.value.hint).endswith("if they are that dark: --range 0:1")


@pytest.mark.parametrize("first", [0, 7])
def test_unsigned_numbers_of_32_bits_stay_positive(first: int) -> None:
    values = np.array([[first, 2**31], [2**32 - 1, 2**31 - 1]], np.uint32)
    picture = decode(tiff(values, sample_format=1), "x", ValueRange(low=0, high=2**32 - 1))
    assert picture.pixels[:, :, 0].tolist() == [[0, 128], [255, 127]]
    assert picture.deep is not None
    assert (picture.deep.low, picture.deep.high) == (first, 2**32 - 1)


def test_signed_numbers_of_32_bits_stay_signed() -> None:
    picture = decode(tiff(np.array([[-1000, 1000]], np.int32), sample_format=2), "x", ValueRange(low=-1000, high=1000))
    assert picture.pixels[:, :, 0].tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("values", "options", "expected"), [([0, 127], {}, {0, 255}), ([-128, 127], {"range": "-128:127"}, {0, 255})]
)
def test_signed_bytes_are_read_as_such(tmp_path: Path, values, options: dict[str, str], expected: set[int]) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(10):
            data = tiff(np.array([values, values], np.int8), sample_format=2)
            (tmp_path / name / f"{index}.tif").write_bytes(data)
    if options:
        with pytest.raises(DataError, match=r"from 0 to 127, found -128 to 127 .*") as error:
            describe_task(f"folder:{tmp_path}")
        assert f"--range {options['range']}" in str(error.value.hint)
    described = describe_task(f"folder:{tmp_path}", options=options)
    assert levels(described.task, size=(2, 2)) == expected
    assert "20 of 20 images with signed bytes" in described.notes[0]


def tiff(values: np.ndarray, *, sample_format: int) -> bytes:
    """Returns a grey TIFF of numbers that Pillow does not write."""
    from struct import pack

    (height, width), bits = values.shape, values.dtype.itemsize * 8
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    tags |= {279: values.nbytes, 339: sample_format}
    entries = b"".join(pack("<HHIHH", tag, 3, 1, number, 0) for tag, number in tags.items())
    directory = pack("<H", len(tags)) + entries + pack("<I", 0)
    return pack("<2sHI", b"II", 42, 8 + values.nbytes) + values.tobytes() + directory


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
    with_stream = next(ExampleStream(task, "train", shape=(4, 4, 3)).in_order(chunk=12))
    assert with_stream.inputs.max() == 255
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
