from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.data import describe_task, load_split, open_source
from mu2net_core.errors import DataError, NotFoundError
from mu2net_core.objects import Image

IMAGES = (np.arange(40 * 5 * 4) % 251).astype(np.uint8).reshape(40, 5, 4)
LABELS = np.repeat([0, 1], 20)


def save(path: Path, **arrays: Any) -> str:
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels")])
def test_one_pair_of_arrays_is_one_split(tmp_path: Path, names: tuple[str, str]) -> None:
    uri = save(tmp_path, **dict(zip(names, (IMAGES, LABELS), strict=True)))
    task = describe_task(uri, name="t").task
    assert task.output.labels == ("0", "1")
    assert task.input == Image(height=5, width=4, channels=1)
    assert [task.splits[name].num_examples for name in ("train", "validation", "test")] == [24, 8, 8]


def test_images_keep_their_labels_and_come_in_a_fair_order(tmp_path: Path) -> None:
    labels = np.arange(40) // 20
    task = describe_task(save(tmp_path, x=np.stack([np.full((2, 2), i, np.uint8) for i in range(40)]), y=labels)).task
    train = load_split(task, "train", shape=(2, 2, 3))
    assert (train.inputs[:, 0, 0, 0] // 20).tolist() == train.labels.tolist()
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
        ({"a": IMAGES}, r"Expected x_train, y_train.* found a: uint8 \[40, 5, 4\]"),
        ({"x_test": IMAGES, "y_test": LABELS}, "Expected x_train"),
        ({"x": IMAGES[0], "y": LABELS}, r"expected images \[N, H, W\].* found \(5, 4\)"),
        ({"x": np.zeros((40, 5, 4, 2), np.uint8), "y": LABELS}, "expected images"),
        ({"x": IMAGES, "y": LABELS[:-1]}, "expected one label per image, found 40 images and 39 labels"),
        ({"x": IMAGES, "y": LABELS * 5, "classes": np.array(["a", "b"])}, r"expected 0 to 1 .* found 5 \(20 times\)"),
        ({"x": IMAGES, "y": LABELS, "classes": np.array([1, 2])}, "expected classes to be an array of strings"),
        ({"x": IMAGES, "y": LABELS, "classes": np.array(["a", "a"])}, "'a' more than once"),
        ({"x": IMAGES, "y": LABELS * 0}, "at least two classes .* found 1"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "at least two classes .* found 0"),
        ({"x": IMAGES[:2], "y": np.array([0, 1])}, "No examples for test"),
    ],
)  # fmt: skip
def test_what_cannot_be_right(tmp_path: Path, arrays: dict[str, Any], match: str) -> None:
    with pytest.raises(DataError, match=match):
        describe_task(save(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "found an empty file"),
        (b"hello", "found a file that is none"),
        (b"PK\x03\x04 broken", r"Cannot read .*b.npz"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "(?s)a Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html>log in", "(?s)found a web page.*download the data anew"),
        (b"\x80\x04\x95pickle", "a Python pickle, which is never read"),
    ],
)
def test_a_file_that_is_no_archive_is_called_what_it_is(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "b.npz").write_bytes(content)
    with pytest.raises(DataError, match=match):
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
    with pytest.raises(DataError, match=r"(?s)found a single NumPy array.*np.savez"):
        open_source(f"npz:{tmp_path / 'a.npy'}")


def test_no_such_file(tmp_path: Path) -> None:
    save(tmp_path, x=IMAGES, y=LABELS)
    with pytest.raises(NotFoundError, match="No such file") as error:
        open_source(f"npz:{tmp_path / 'b.npz'}")
    assert str(error.value.hint) == f"Did you mean npz:{tmp_path / 'a.npz'}?"


def array_file(shape: str, dtype: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


class Bomb:
    """Says so when it is unpickled."""

    exploded = False

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return setattr, (Bomb, "exploded", True)


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (array_file("(1000000000000000, 8, 8)", "|u1"), "x claims .* bytes and has at most"),
        (array_file("(True, 8, 8)", "|u1", bytes(64)), "absurd shape"),
        (array_file("(-20, -8, 8)", "|u1", bytes(1280)), "absurd shape"),
        (array_file(f"(0, {2**63 - 1}, {2**63 - 1})", "|u1"), "absurd shape"),
        (array_file(f"(0, {10**20}, 8)", "|u1"), "absurd shape"),
        (array_file(f"(0, {2**62}, 8)", "|S0"), "absurd shape"),
        (array_file("(8,)", "|S2147483647"), "claims"),
        (array_file("(40,)", "|O", pickle.dumps(Bomb())), "holds Python objects, and those are never unpickled"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 60000) + b"(" * 59999 + b"\n", "Cannot read"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"-" * 8999 + b"\n", "x has an absurd header"),
        (b"hello", "Cannot read"),
    ],
)  # fmt: skip
def test_arrays_that_lie_are_refused_and_nothing_is_unpickled(tmp_path: Path, member: bytes, match: str) -> None:
    uri = save(tmp_path, y=LABELS)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("x.npy", member)
    with pytest.raises(DataError, match=match):
        open_source(uri)
    assert not Bomb.exploded


def test_no_memory_is_made_for_more_than_a_file_of_its_size_can_hold(tmp_path: Path) -> None:
    uri = save(tmp_path, y=LABELS)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", array_file("(60000000, 8, 8)", "|u1", bytes(64)))
    data = bytearray(path.read_bytes())
    directory = data.rfind(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 0xF0000000)  # the size it says it has when unpacked
    path.write_bytes(data)
    with pytest.raises(DataError, match="x claims 3840000000 bytes and has at most"):
        open_source(uri)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_members_packed_otherwise_than_numpy_does_are_refused(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("x.npy", array_file("(1, 8, 8)", "|u1", bytes(64)))
    with pytest.raises(DataError, match="packed in a way that NumPy does not use"):
        open_source(f"npz:{tmp_path / 'a.npz'}")


@pytest.mark.parametrize("code", [0xD800, 0x110000])
def test_class_names_that_are_no_text_are_refused(tmp_path: Path, code: int) -> None:
    uri = save(tmp_path, x=IMAGES, y=LABELS)
    names = np.array([code, ord("b")], np.uint32).tobytes()
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("classes.npy", array_file("(2,)", "<U1", names))
    with pytest.raises(DataError, match="expected text"):
        open_source(uri)


def test_an_array_of_objects_says_how_to_store_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="never unpickled") as error:
        open_source(save(tmp_path, x=IMAGES, y=LABELS.astype(str).astype(object)))
    y = LABELS.astype(str).astype(object)
    command = str(error.value.hint).partition(": y = ")[2]
    assert open_source(save(tmp_path, x=IMAGES, y=eval(command, {"np": np, "y": y}))).info().classes == ("0", "1")
