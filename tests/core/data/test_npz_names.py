"""Arrays are found by the names that people give them; none is left out without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.data import describe_task, open_source
from mu2net_core.data.source import SourceInfo
from mu2net_core.errors import DataError

IMAGES = np.arange(60 * 16).astype(np.uint8).reshape(60, 4, 4)
LABELS = np.arange(60) % 2
SIZES = {"train": 40, "validation": 12, "test": 8}


def info(path: Path, **arrays: Any) -> SourceInfo:
    np.savez(path / "a.npz", **arrays)
    return open_source(f"npz:{path / 'a.npz'}").info()


@pytest.mark.parametrize(
    "names",
    [
        "x_train y_train x_validation y_validation x_test y_test",
        "X_train Y_train X_val Y_val X_test Y_test",
        "X_train y_train X_valid y_valid X_test y_test",
        "train_x train_y dev_x dev_y test_x test_y",
        "train_images train_labels val_images val_labels test_images test_labels",
        "trainImages trainLabels valImages valLabels testImages testLabels",
        "TRAIN_DATA TRAIN_TARGET VALID_DATA VALID_TARGET TEST_DATA TEST_TARGET",
        "images_train labels_train images_dev labels_dev images_test labels_test",
        "train-data train-targets val-data val-targets test-data test-targets",
        "xtrain ytrain xval yval xtest ytest",
        "Xtrain ytrain Xval yval Xtest ytest",
        "trainX trainY valX valY testX testY",
        "train/x train/y validation/x validation/y test/x test/y",
        "train_set_x train_set_y val_set_x val_set_y test_set_x test_set_y",
    ],
)
def test_usual_names_of_splits_are_read(tmp_path: Path, names: str) -> None:
    images, labels = names.split()[::2], names.split()[1::2]
    arrays = {
        name: array[:size]
        for pair, size in zip(zip(images, labels, strict=True), SIZES.values(), strict=True)
        for name, array in zip(pair, (IMAGES, LABELS), strict=True)
    }
    found = info(tmp_path, **arrays)
    assert (found.splits, found.notes) == (SIZES, ())
    task = describe_task(f"npz:{tmp_path / 'a.npz'}").task
    assert {name: split.num_examples for name, split in task.splits.items()} == SIZES


@pytest.mark.parametrize("names", ["x y", "X y", "X Y", "images labels", "image label", "data target", "data targets"])
def test_usual_names_of_one_pair_are_read(tmp_path: Path, names: str) -> None:
    x, y = names.split()
    assert info(tmp_path, **{x: IMAGES, y: LABELS}).splits == {"all": 60}


def test_labels_of_medmnist_are_columns(tmp_path: Path) -> None:
    arrays = {}
    for name, size in zip(("train", "val", "test"), SIZES.values(), strict=True):
        arrays |= {f"{name}_images": IMAGES[:size], f"{name}_labels": LABELS[:size, None]}
    assert info(tmp_path, **arrays).splits == SIZES


@pytest.mark.parametrize("name", ["classes", "class_names", "label_names", "target_names", "classNames"])
def test_names_of_classes_are_found(tmp_path: Path, name: str) -> None:
    assert info(tmp_path, x=IMAGES, y=LABELS, **{name: np.array(["a", "b"])}).classes == ("a", "b")


def test_a_pair_without_a_split_beside_a_test_set_is_for_training(tmp_path: Path) -> None:
    found = info(tmp_path, x=IMAGES, y=LABELS, x_test=IMAGES[:8], y_test=LABELS[:8])
    assert found.splits == {"train": 60, "test": 8}
    assert found.notes == ("x and y are taken for training, as there is test too",)


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:8], "ids": LABELS, "x": IMAGES, "y": LABELS}
    found = info(tmp_path, **arrays)
    assert found.splits == {"train": 60}
    first, second = found.notes
    assert first == "x_test has no labels beside it and is left out"
    assert second.startswith("not used of ")
    assert "ids: int64 [60]" in second
    assert "x: uint8 [60, 4, 4]; y: int64 [60]" in second


def test_arrays_of_objects_that_are_not_used_do_no_harm(tmp_path: Path) -> None:
    found = info(tmp_path, x=IMAGES, y=LABELS, meta=np.array([{"by": "ann"}], dtype=object))
    assert "meta: object [1]" in found.notes[0]


def test_of_several_names_the_one_with_the_shape_of_images_is_read(tmp_path: Path) -> None:
    found = info(tmp_path, data=IMAGES.reshape(60, 16), images=IMAGES, target=LABELS)
    assert found.splits == {"all": 60}
    assert "data: uint8 [60, 16]" in found.notes[0]


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": IMAGES, "images": IMAGES, "y": LABELS}, r"several arrays could be the images of all: x: uint8 \[60"),
        ({"x": IMAGES, "y": LABELS, "target": LABELS}, "several arrays could be the labels"),
        ({"images": IMAGES, "fine_labels": LABELS, "coarse_labels": LABELS}, "images has no labels beside it"),
        ({"x_train": IMAGES}, "x_train has no labels beside it"),
        ({"x_test": IMAGES, "y_test": LABELS}, r"found x_test: uint8 \[60, 4, 4\]; y_test: int64 \[60\]"),
        ({"unrelated": LABELS}, "found unrelated: int64"),
        ({"x": IMAGES, "y": LABELS, "classes": LABELS, "class_names": LABELS}, "one array of class names"),
    ],
)
def test_what_could_mean_two_things_or_nothing_lists_what_is_there(
    tmp_path: Path, arrays: dict[str, Any], match: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=match):
        open_source(f"npz:{tmp_path / 'a.npz'}")


def test_arrays_without_names_say_how_to_name_them_and_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("OLD.npz", IMAGES, LABELS)
    with pytest.raises(DataError, match=r"found arr_0: uint8 \[60, 4, 4\]; arr_1: int64 \[60\]") as error:
        open_source("npz:OLD.npz")
    exec(str(error.value.hint).partition("for example: ")[2], {"np": np})
    assert open_source("npz:NEW.npz").info().splits == {"all": 60}


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None]])
def test_arrays_of_unknown_names_are_told_by_their_shapes_how_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: np.ndarray
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = {"Die Bilder": IMAGES, "Klassen": labels, "mean": np.zeros(3)}
    np.savez("OLD.npz", **arrays)
    with pytest.raises(DataError) as error:
        open_source("npz:OLD.npz")
    known, _, line = str(error.value.hint).partition(": ")
    assert known == "If Die Bilder holds the images and Klassen their labels"
    exec(line, {"np": np})
    assert open_source("npz:NEW.npz").info().splits == {"all": 60}
    np.savez("OLD.npz", **arrays, other=np.zeros(60))
    with pytest.raises(DataError) as error:
        open_source("npz:OLD.npz")
    assert error.value.hint is None
