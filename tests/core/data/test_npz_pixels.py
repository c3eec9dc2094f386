"""Numbers of an archive become pixels exactly, or are refused with a conversion that, followed, is right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.data import open_source
from mu2net_core.errors import DataError
from mu2net_core.objects import Slice

GREYS = np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 4, 4)
LABELS = np.arange(16) % 2


def save(path: Path, **arrays: Any) -> str:
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


def pixels(uri: str, split: str = "all", count: int = 16) -> np.ndarray:
    """Returns what a task gets, in the order of the archive."""
    stored = list(open_source(uri).read([Slice(split=split, start=0, stop=count)]))
    return np.stack(
        [np.asarray(one.input) for one in sorted(stored, key=lambda one: int(one.name[len(split) + 1 : -1]))]
    )


def refusal(uri: str) -> DataError:
    with pytest.raises(DataError) as error:
        open_source(uri)
    return error.value


def followed(hint: str | None, x: np.ndarray) -> np.ndarray:
    """Returns what the hint's expression makes of ``x``."""
    found = re.search(r"store x = (.*?)( \(for every split alike\))?$", str(hint))
    assert found is not None, hint
    return np.asarray(eval(found[1], {"np": np, "x": x}))


@pytest.mark.parametrize(
    "dtype", ["u1", "i2", ">u2", "u4", "i4", "i8", ">i8", "u8"], ids=lambda dtype: dtype.replace(">", "big-endian ")
)
def test_integers_from_0_to_255_of_any_width_are_read_exactly(tmp_path: Path, dtype: str) -> None:
    uri = save(tmp_path, x=GREYS.astype(dtype), y=LABELS)
    np.testing.assert_array_equal(pixels(uri), GREYS)
    assert open_source(uri).info().notes == ()


def test_booleans_are_black_and_white(tmp_path: Path) -> None:
    uri = save(tmp_path, x=GREYS > 100, y=LABELS)
    np.testing.assert_array_equal(pixels(uri), np.where(GREYS > 100, 255, 0))
    assert open_source(uri).info().notes == ("the images are booleans: read as 0 and 255",)


@pytest.mark.parametrize(
    ("x", "found", "wanted"),
    [
        (GREYS.astype("u2") * 257, "uint16 from 0 to 65535", GREYS),
        (GREYS.astype("i4") * 257, "int32 from 0 to 65535", GREYS),
        (GREYS.astype("u2") * 16, "uint16 from 0 to 4080", GREYS),
        (GREYS.astype("i8") * 16 + 15, "int64 from 15 to 4095", GREYS),
        (GREYS.astype("u2") * 64, "uint16 from 0 to 16320", GREYS),
        (GREYS.astype("u2") * 4, "uint16 from 0 to 1020", GREYS),
        (GREYS.astype("f4"), "float32 from 0 to 255", GREYS),
        (GREYS.astype("f2"), "float16 from 0 to 255", GREYS),
        (GREYS / 255, "float64 from 0 to 1", GREYS),
        ((GREYS / 255).astype("f4"), "float32 from 0 to 1", GREYS),
        ((GREYS / 255).astype("f2"), "float16 from 0 to 1", GREYS),
        ((GREYS / 255) * 1.02 - 0.01, "float64 from -0.01 to 1.01", None),
        (GREYS * 1.02 - 2, "float64 from -2 to 258.1", None),
        (GREYS / 127.5 - 1, "float64 from -1 to 1", GREYS),
        (GREYS / 255 - 0.5, "float64 from -0.5 to 0.5", GREYS),
        (GREYS.astype("f8") * 257, "float64 from 0 to 65535", GREYS),
        (GREYS.astype("i2") - 128, "int16 from -128 to 127", GREYS),
        ((GREYS.astype("i2") - 128).astype("i1"), "int8 from -128 to 127", GREYS),
        ((GREYS.astype("i4") * 257 - 32768).astype("i2"), "int16 from -32768 to 32767", None),
        ((GREYS / 255 - 0.45) / 0.225, "float64 from -2 to 2.44444", GREYS),
        (np.rint(GREYS / 255 * 16), "float64 from 0 to 16", np.rint(np.rint(GREYS / 255 * 16) * 255 / 16)),
        (GREYS.astype("i8") * 1_000_003, "int64 from 0 to 2.55001e+08", GREYS),
    ],
)
def test_other_numbers_are_refused_with_the_conversion_that_is_right_for_them(
    tmp_path: Path, x: np.ndarray, found: str, wanted: np.ndarray | None
) -> None:
    error = refusal(save(tmp_path, x=x, y=LABELS))
    assert f"expected images of integers from 0 to 255, found {found}." in error.message
    converted = followed(error.hint, x)
    assert converted.dtype == np.uint8
    np.testing.assert_array_equal(pixels(save(tmp_path, x=converted, y=LABELS)), converted)
    order = np.argsort(x, axis=None, kind="stable")
    assert (np.diff(converted.reshape(-1)[order].astype(int)) >= 0).all(), "darker became lighter: it wrapped"
    assert (converted.min(), converted.max()) == (0, 255)
    if wanted is not None:
        np.testing.assert_array_equal(converted, wanted)


@pytest.mark.parametrize(
    ("x", "far", "wanted"),
    [
        (GREYS / 255, 900.0, GREYS),
        (GREYS.astype("u2") * 16, 65535, GREYS),
        (GREYS.astype("f4"), 70_000.0, GREYS),
        (GREYS.astype("f4"), -9999.0, GREYS),
        (GREYS.astype("i4"), 9999, GREYS),
        (GREYS / 255 - 0.5, 3e38, GREYS),
    ],
)
@pytest.mark.parametrize("where", [np.s_[15], np.s_[15, 3, 3], np.s_[:, 3, 3]], ids=["an image", "a pixel", "all"])
def test_a_few_values_far_beyond_do_not_make_the_rest_black(
    tmp_path: Path, x: np.ndarray, far: float, wanted: np.ndarray, where: Any
) -> None:
    spoilt = x.copy()
    spoilt[where] = far
    rest = np.ones(x.shape, bool)
    rest[where] = False
    error = refusal(save(tmp_path, x=spoilt, y=LABELS))
    assert "of 16 images go far beyond, x[" in error.message
    converted = followed(error.hint, spoilt)
    assert np.abs(converted[rest].astype(int) - wanted[rest]).max() <= 9
    assert set(converted[~rest].tolist()) <= {0, 254, 255}


def test_the_values_that_once_wrapped(tmp_path: Path) -> None:
    wide = np.full((16, 4, 4), 6682, np.uint16)
    wide[0, 0, 0] = 61423
    assert followed(refusal(save(tmp_path, x=wide, y=LABELS)).hint, wide)[1, 0, 0] == 26
    real = np.full((16, 4, 4), 26.0, np.float32)
    real[0, 0, 0] = 239
    assert followed(refusal(save(tmp_path, x=real, y=LABELS)).hint, real)[1, 0, 0] == 26


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_counted_and_placed_and_nothing_converts_them(tmp_path: Path, bad: float) -> None:
    x = (GREYS / 255).astype("f4")
    x[3, 0, :2] = x[5, 1, 1] = x[6, 0, 0] = x[9, 3, 3] = bad
    error = refusal(save(tmp_path, x=x, y=LABELS))
    assert "5 values that are NaN or infinite, in 4 of the images: x[3], x[5], x[6] and 1 more" in error.message
    assert "astype" not in str(error.hint)


def test_all_splits_are_measured_together(tmp_path: Path) -> None:
    train = GREYS.astype("u2") * 257
    error = refusal(save(tmp_path, x_train=train, y_train=LABELS, x_test=train // 2, y_test=LABELS))
    assert "from 0 to 65535" in error.message
    assert followed(error.hint, train // 2).max() == 127


@pytest.mark.parametrize(
    ("train", "test"),
    [(GREYS / 255, GREYS.astype("f8")), (GREYS / 255, GREYS), (GREYS, GREYS.astype("u2") * 257)],
)
def test_splits_that_are_not_on_one_scale_get_no_common_conversion(
    tmp_path: Path, train: np.ndarray, test: np.ndarray
) -> None:
    error = refusal(save(tmp_path, x_train=train, y_train=LABELS, x_test=test, y_test=LABELS))
    assert f"x_train {train.dtype} from 0 to {train.max():g}, x_test {test.dtype}" in error.message
    assert "not on one scale" in str(error.hint)
    assert "astype" not in str(error.hint)


@pytest.mark.parametrize(("white", "told"), [(1, "0 and 1 of 255"), (16, "0 to 16 of 255"), (0, "black")])
def test_pictures_that_are_nearly_black_are_read_and_told(tmp_path: Path, white: int, told: str) -> None:
    uri = save(tmp_path, x=np.where(GREYS > 100, white, 0).astype(np.uint8), y=LABELS)
    (note,) = open_source(uri).info().notes
    assert told in note


def test_one_dark_split_of_bytes_is_told(tmp_path: Path) -> None:
    uri = save(tmp_path, x_train=GREYS, y_train=LABELS, x_test=GREYS // 255, y_test=LABELS)
    assert open_source(uri).info().notes == (
        "the images are not on one scale: x_train from 0 to 255, x_test from 0 to 1",
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_that_come_first_are_put_last_and_that_is_told(tmp_path: Path, channels: int) -> None:
    x = np.arange(16 * channels * 6 * 5).astype(np.uint8).reshape(16, channels, 6, 5)
    uri = save(tmp_path, x=x, y=LABELS)
    np.testing.assert_array_equal(pixels(uri), x.transpose(0, 2, 3, 1))
    assert "channels first" in open_source(uri).info().notes[0]


@pytest.mark.parametrize(
    ("x", "wanted"),
    [
        (np.moveaxis(GREYS, 0, -1), GREYS),
        (GREYS.reshape(16, 16), GREYS),
        (np.arange(16 * 12).reshape(16, 12), np.arange(16 * 12).reshape(16, 3, 2, 2).transpose(0, 2, 3, 1)),
        (np.stack([GREYS] * 3 + [np.full_like(GREYS, 255)], axis=-1), np.stack([GREYS] * 3, axis=-1)),
        (np.stack([GREYS] * 3 + [np.full_like(GREYS, 0)], axis=-1), np.full((16, 4, 4, 3), 255)),
    ],
    ids=["examples last", "flat", "flat colour", "opaque", "transparent"],
)  # fmt: skip
def test_other_shapes_are_refused_with_the_way_to_the_right_one(
    tmp_path: Path, x: np.ndarray, wanted: np.ndarray
) -> None:
    x = x.astype(np.uint8)
    uri = save(tmp_path, x=followed(refusal(save(tmp_path, x=x, y=LABELS)).hint, x), y=LABELS)
    np.testing.assert_array_equal(pixels(uri), wanted)


@pytest.mark.parametrize(
    ("x", "match"),
    [
        (np.zeros((16, 7)), "rows of a table"),
        (np.array(["a.png"] * 16)[:, None, None].repeat(2, 1).repeat(2, 2), "folder:PATH reads the files"),
        (np.zeros((16, 4, 4), complex), "found x complex128"),
        (np.zeros((15, 4, 4), np.uint8), "found 15 images and 16 labels"),
    ],
)
def test_what_are_no_images(tmp_path: Path, x: np.ndarray, match: str) -> None:
    assert match in str(refusal(save(tmp_path, x=x, y=LABELS)))


def test_bytes_that_were_read_as_signed_have_a_way_of_their_own(tmp_path: Path) -> None:
    x = GREYS.view("i1")
    hint = str(refusal(save(tmp_path, x=x, y=LABELS)).hint)
    assert hint.startswith('If these are bytes that were read as signed ones, x.view("uint8") is right. Else: ')
    np.testing.assert_array_equal(pixels(save(tmp_path, x=x.view("uint8"), y=LABELS)), GREYS)


@pytest.mark.parametrize("scale", [1 / 255, 257.0])
def test_transparency_is_only_composed_of_bytes(tmp_path: Path, scale: float) -> None:
    x = np.stack([GREYS] * 4, axis=-1) * scale
    hint = str(refusal(save(tmp_path, x=x, y=LABELS)).hint)
    assert "first bring the values to 0 ... 255" in hint
    assert "store" not in hint
