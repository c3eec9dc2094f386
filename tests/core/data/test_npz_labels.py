"""Labels however they are coded become classes, and nothing is renamed without a word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.data import open_source
from mu2net_core.data.source import Source
from mu2net_core.errors import DataError
from mu2net_core.objects import Slice

CODES = np.tile([0, 1, 2], 10)
IMAGES = np.arange(30 * 16).astype(np.uint8).reshape(30, 4, 4)
ONE_HOT = np.eye(3, dtype=np.uint8)[CODES]


def opened(path: Path, **arrays: Any) -> Source:
    np.savez(path / "a.npz", **{"x": IMAGES, **arrays})
    return open_source(f"npz:{path / 'a.npz'}")


def labelled(source: Source, split: str = "all") -> list[str]:
    """Returns the name of each example's class, in the order of the archive."""
    info = source.info()
    stored = source.read([Slice(split=split, start=0, stop=info.splits[split])])
    by_place = sorted((int(one.name[len(split) + 1 : -1]), info.classes[one.label]) for one in stored)
    return [name for _, name in by_place]


@pytest.mark.parametrize(
    ("y", "classes", "told"),
    [
        (CODES, ("0", "1", "2"), None),
        (CODES.astype("u1"), ("0", "1", "2"), None),
        (CODES.astype("f4"), ("0", "1", "2"), None),
        (CODES.astype("f2"), ("0", "1", "2"), None),
        (CODES[:, None], ("0", "1", "2"), None),
        (CODES[:, None, None], ("0", "1", "2"), None),
        (CODES + 1, ("1", "2", "3"), "begin at 1"),
        (CODES.astype("u1") + 1, ("1", "2", "3"), "begin at 1"),
        (np.array([0, 5, 40])[CODES], ("0", "5", "40"), "0, 5, 40"),
        (CODES + 1_000_000_000, ("1000000000", "1000000001", "1000000002"), "1000000000"),
        (CODES.astype("u8") + 2**63, tuple(str(2**63 + k) for k in range(3)), "9223372036854775808"),
        (np.array(["ant", "bee", "cat"])[CODES], ("ant", "bee", "cat"), "ant, bee, cat"),
        (ONE_HOT[:, None], ("0", "1", "2"), "one-hot rows of 3"),
        (np.array([b"ant", b"bee", b"cat"])[CODES], ("ant", "bee", "cat"), "ant, bee, cat"),
        (np.array(["9", "10", "11"])[CODES], ("9", "10", "11"), "9, 10, 11"),
        (np.array(["-1", "0", "1"])[CODES], ("-1", "0", "1"), "-1, 0, 1"),
        (ONE_HOT, ("0", "1", "2"), "one-hot rows of 3"),
        (ONE_HOT.astype(bool), ("0", "1", "2"), "one-hot rows of 3"),
        (ONE_HOT.astype("f4"), ("0", "1", "2"), "one-hot rows of 3"),
    ],
)
def test_every_usual_coding_is_read_and_told(
    tmp_path: Path, y: np.ndarray, classes: tuple[str, ...], told: str | None
) -> None:
    source = opened(tmp_path, y=y)
    assert source.info().classes == classes
    assert labelled(source) == [classes[code] for code in CODES]
    notes = source.info().notes
    assert (notes == ()) if told is None else (len(notes) == 1 and told in notes[0])


def test_booleans_are_the_classes_false_and_true(tmp_path: Path) -> None:
    source = opened(tmp_path, y=CODES > 0)
    assert source.info().classes == ("false", "true")
    assert labelled(source) == ["true" if code else "false" for code in CODES]
    assert "false and true" in source.info().notes[0]


@pytest.mark.parametrize("y", [CODES, CODES.astype("f4"), ONE_HOT, np.array(["c", "a", "b"])[CODES]])
def test_names_of_classes_decide_their_order(tmp_path: Path, y: np.ndarray) -> None:
    source = opened(tmp_path, y=y, classes=np.array(["c", "a", "b"]))
    assert source.info().classes == ("c", "a", "b")
    assert labelled(source) == [("c", "a", "b")[code] for code in CODES]


def test_labels_from_1_with_as_many_names_count_from_1(tmp_path: Path) -> None:
    source = opened(tmp_path, y=CODES + 1, class_names=np.array(["c", "a", "b"]))
    assert labelled(source) == [("c", "a", "b")[code] for code in CODES]
    assert source.info().notes == ("the labels are 1 to 3: 1 is 'c', 3 is 'b'",)


def test_a_name_without_examples_stays_a_class(tmp_path: Path) -> None:
    assert opened(tmp_path, y=CODES, classes=np.array(list("abcd"))).info().classes == ("a", "b", "c", "d")


def test_classes_are_those_of_all_splits_together(tmp_path: Path) -> None:
    arrays = {"x_train": IMAGES, "y_train": CODES + 1, "x_test": IMAGES[:4], "y_test": np.array([1, 2, 3, 7])}
    np.savez(tmp_path / "b.npz", **arrays)
    source = open_source(f"npz:{tmp_path / 'b.npz'}")
    assert source.info().classes == ("1", "2", "3", "7")
    assert labelled(source, "test") == ["1", "2", "3", "7"]


def test_a_hint_for_negative_labels_leads_to_those_with_labels_or_to_named_classes(tmp_path: Path) -> None:
    x, y = IMAGES, CODES - 1
    with pytest.raises(DataError, match=r"found -1 \(10 times\), 0 \(10 times\), 1 \(10 times\)") as error:
        opened(tmp_path, y=y)
    hint = str(error.value.hint)
    assert "keep = y >= 0; x = x[keep]; y = y[keep]" in hint
    keep = y >= 0
    assert labelled(opened(tmp_path, x=x[keep], y=y[keep])) == [str(label) for label in y if label >= 0]
    assert "y = y.astype(str)" in hint
    assert labelled(opened(tmp_path, y=y.astype(str))) == [str(label) for label in y]


@pytest.mark.parametrize(
    ("train", "test", "named"),
    [
        (ONE_HOT.T, ONE_HOT, ("0", "1", "2")),
        (CODES[None], CODES, ("0", "1", "2")),
        (ONE_HOT, CODES, ("0", "1", "2")),
        (np.array(["4", "10", "7"])[CODES], np.array([4, 10, 7])[CODES], ("4", "10", "7")),
        (np.array([b"4", b"10", b"7"])[CODES], np.array([4, 10, 7])[CODES], ("4", "10", "7")),
        (np.array(["ant", "bee", "cat"])[CODES], CODES, ("ant", "bee", "cat")),
        (np.array(["mäuse".encode("latin-1"), b"x", b"y"])[CODES], np.array([b"x"] * 30), ("mäuse", "x", "y")),
    ],
)
def test_labels_that_are_coded_in_another_way_are_refused_with_what_makes_them_right(
    tmp_path: Path, train: np.ndarray, test: np.ndarray, named: tuple[str, ...]
) -> None:
    arrays = {"x_train": IMAGES, "y_train": train, "x_test": IMAGES, "y_test": test}
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(DataError) as error:
        open_source(f"npz:{tmp_path / 'b.npz'}")
    hint = str(error.value.hint)
    followed = re.search(r"(y_\w+) = (.*?)(\.? Else .*|$)", hint)
    assert followed is not None, hint
    arrays[followed[1]] = eval(followed[2], {"np": np, **arrays})
    np.savez(tmp_path / "b.npz", **arrays)
    source = open_source(f"npz:{tmp_path / 'b.npz'}")
    assert labelled(source, "train") == [named[code] for code in CODES]


SEVERAL = ONE_HOT.copy()
SEVERAL[4] = 1
NONE = ONE_HOT.copy()
NONE[4:6] = 0


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.where(CODES == 1, np.nan, CODES), r"NaN or infinity for 10: 1, 4, 7"),
        (CODES + 0.5, "(?s)float64 with values such as 0.5.*classes, not quantities"),
        (SEVERAL, "(?s)of 30 rows 1 have several ones.*not supported"),
        (NONE, "(?s)2 have none.*keep = y.sum"),
        (ONE_HOT * 0.9, "(?s)in row 0.*argmax"),
        (np.stack([CODES, CODES + 5], axis=1), r"(?s)rows with one 1 among 0s.*choose one: store y = y\[:, 0\]"),
        (ONE_HOT * 2.0 - 1, "(?s)in row 0.*argmax"),
        (ONE_HOT * 255, "(?s)in row 0.*argmax"),
        (np.where(CODES == 1, "", "b"), "found 10 that are empty"),
        (CODES.astype("M8[s]"), "expected one label per image"),
        (CODES.astype(complex), "expected one label per image"),
        (CODES.reshape(3, 10)[:, :, None].repeat(2, 2), "expected one label per image"),
        (np.array(5), "expected one label per image"),
        (np.array([b"a\xff", b"b", b"c"])[CODES], "expected text in UTF-8"),
    ],
)
def test_what_are_no_labels_of_one_class_each(tmp_path: Path, y: np.ndarray, match: str) -> None:
    with pytest.raises(DataError, match=match):
        opened(tmp_path, y=y)


@pytest.mark.parametrize(
    ("y", "classes", "match"),
    [
        (CODES, ["a", "b"], r"expected 0 to 1 for 2 names in classes, found 2 \(10 times\)"),
        (CODES + 2, ["a", "b", "c"], r"found 3 \(10 times\), 4 \(10 times\)"),
        (ONE_HOT, ["a", "b"], "for 2 class names, found y"),
        (np.array(["a", "b", "z"])[CODES], ["a", "b"], "among the 2 names in classes, found z"),
    ],
)
def test_labels_that_do_not_fit_the_names(tmp_path: Path, y: np.ndarray, classes: list[str], match: str) -> None:
    with pytest.raises(DataError, match=match):
        opened(tmp_path, y=y, classes=np.array(classes))


@pytest.mark.parametrize("test", [np.array(["0", "1"]), np.eye(3)[:2], np.array([True, False])])
def test_splits_of_different_codings_are_refused(tmp_path: Path, test: np.ndarray) -> None:
    np.savez(tmp_path / "b.npz", x_train=IMAGES, y_train=CODES, x_test=IMAGES[:2], y_test=test)
    with pytest.raises(DataError, match=r"of the same kind in all splits.*y_train: int64 \[30\]; y_test"):
        open_source(f"npz:{tmp_path / 'b.npz'}")


def test_names_that_look_the_same_are_the_same_class(tmp_path: Path) -> None:
    y = np.array(["caf\u00e9", "cafe\u0301", "tea"])[CODES]
    assert opened(tmp_path, y=y).info().classes == ("caf\u00e9", "tea")
