from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.data import describe_task, load_split, open_source
from mu2net_core.errors import DataError, NotFoundError
from mu2net_core.objects import ImageInput

IMAGES = (np.arange(40 * 5 * 4) % 251).astype(np.uint8).reshape(40, 5, 4)
LABELS = np.repeat([0, 1], 20)


def save(path: Path, **arrays: Any) -> str:
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels")])
def test_one_pair_of_arrays_is_one_split(tmp_path: Path, names: tuple[str, str]) -> None:
    uri = save(tmp_path, **dict(zip(names, (IMAGES, LABELS), strict=True)))
    task = describe_task(uri, name="t").task
    assert task.classes == ("0", "1")
    assert task.input == ImageInput(height=5, width=4, channels=1)
    assert [task.splits[name].num_examples for name in ("train", "validation", "test")] == [24, 8, 8]


def test_images_keep_their_labels_and_come_in_a_fair_order(tmp_path: Path) -> None:
    labels = np.arange(40) // 20
    task = describe_task(save(tmp_path, x=np.stack([np.full((2, 2), i, np.uint8) for i in range(40)]), y=labels)).task
    train = load_split(task, "train", size=(2, 2))
    assert (train.images[:, 0, 0, 0] // 20).tolist() == train.labels.tolist()
    assert set(train.labels) == {0, 1}


def test_train_validation_and_test_are_kept_apart(tmp_path: Path) -> None:
    arrays = {f"{letter}_{split}": array[: 10 * k] for k, split in enumerate(("test", "val", "train"), start=1)
              for letter, array in (("x", IMAGES[10:]), ("y", LABELS[10:]))}  # fmt: skip
    info = open_source(save(tmp_path, **arrays, classes=np.array(["a", "b"]))).info()
    assert info.splits == {"train": 30, "validation": 20, "test": 10}
    assert info.classes == ("a", "b")


def test_a_column_of_labels_and_wide_integers_will_do(tmp_path: Path) -> None:
    uri = save(tmp_path, x=IMAGES[..., None].astype(np.int64), y=LABELS[:, None].astype(np.uint8))
    assert open_source(uri).info().splits == {"all": 40}


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"a": IMAGES}, "Expected x_train, y_train.* found a"),
        ({"x_test": IMAGES, "y_test": LABELS}, "Expected x_train"),
        ({"x": IMAGES[0], "y": LABELS}, r"expected images \[N, H, W\].* found \(5, 4\)"),
        ({"x": np.zeros((40, 5, 4, 2), np.uint8), "y": LABELS}, "expected images"),
        ({"x": IMAGES, "y": LABELS[:-1]}, "expected one integer label per image"),
        ({"x": IMAGES, "y": LABELS.astype(float)}, "expected one integer label per image"),
        ({"x": IMAGES / 255, "y": LABELS}, "expected images of integers from 0 to 255, found float64"),
        ({"x": IMAGES.astype(int) + 100, "y": LABELS}, "integers from 0 to 255"),
        ({"x": IMAGES, "y": LABELS + 1_000_000_000}, "label out of range: 1000000001, with only 40 examples"),
        ({"x": IMAGES, "y": LABELS - 1}, "Label out of range: expected 0 to|at least two classes"),
        ({"x": IMAGES, "y": LABELS * 5, "classes": np.array(["a", "b"])}, "Label out of range: expected 0 to 1, found"),
        ({"x": IMAGES, "y": LABELS, "classes": np.array([1, 2])}, "expected classes to be an array of strings"),
        ({"x": IMAGES, "y": LABELS * 0}, "at least two classes .* found 1"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "at least two classes .* found 0"),
        ({"x": IMAGES[:2], "y": np.array([0, 1])}, "No examples for test"),
        ({"x": IMAGES, "y": LABELS.astype(object)}, r"without pickled objects: found something else in it\.$"),
    ],
)  # fmt: skip
def test_what_cannot_be_right(tmp_path: Path, arrays: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match):
        describe_task(save(tmp_path, **arrays))


def test_negative_labels_among_good_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Label out of range: expected 0 to 1, found -1 in"):
        describe_task(save(tmp_path, x=IMAGES, y=np.tile([-1, 1], 20)))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"Cannot read .*b.npz"):
        open_source(f"npz:{tmp_path / 'b.npz'}")


def test_a_flipped_bit_in_an_archive(tmp_path: Path) -> None:
    uri = save(tmp_path, x=IMAGES, y=LABELS)
    path = tmp_path / "a.npz"
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="Cannot read"):
        open_source(uri)


def test_a_single_array_is_not_enough(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IMAGES)
    with pytest.raises(DataError, match="found a single array"):
        open_source(f"npz:{tmp_path / 'a.npy'}")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No such file"):
        open_source(f"npz:{tmp_path / 'none.npz'}")
