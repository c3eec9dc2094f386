from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core import objects
from mu2net_core.data import describe_task, load_split, open_source
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.objects import Slice


def put_image(path: Path, value: int = 0, size: tuple[int, int] = (6, 6), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


@pytest.fixture
def cats(tmp_path: Path) -> Path:
    for index in range(30):
        put_image(tmp_path / "cat" / f"{index}.png", index)
        put_image(tmp_path / "dog" / f"{index}.png", 100 + index)
    (tmp_path / "README.txt").write_text("not an image")
    put_image(tmp_path / ".thumbnails" / "0.png")
    return tmp_path


def test_class_folders_are_the_classes(cats: Path) -> None:
    info = open_source(f"folder:{cats}").info()
    assert (info.classes, info.splits, info.options) == (("cat", "dog"), {"all": 60}, {})


def test_any_slice_is_a_fair_sample_and_the_same_every_time(cats: Path) -> None:
    task = describe_task(f"folder:{cats}").task
    train = load_split(task, "train", shape=(6, 6, 3))
    assert 0.3 < train.labels.mean() < 0.7
    assert (train.inputs[:, 0, 0, 0] >= 100).tolist() == (train.labels == 1).tolist()
    again = load_split(task, "train", shape=(6, 6, 3))
    assert np.array_equal(train.inputs, again.inputs)


def test_each_class_gives_its_share_to_every_split_and_a_class_of_one_image_trains(tmp_path: Path) -> None:
    for name, count in (("often", 100), ("seldom", 10), ("thrice", 3), ("once", 1), ("unique", 1)):
        for index in range(count):
            put_image(tmp_path / name / f"{index}.png", index)
    described = describe_task(f"folder:{tmp_path}")
    counts = {split: tally.counts.tolist() for split, tally in described.tallies.items()}
    assert described.task.output.labels == ("often", "once", "seldom", "thrice", "unique")
    assert counts == {"train": [59, 1, 6, 2, 1], "validation": [21, 0, 2, 0, 0], "test": [20, 0, 2, 1, 0]}


def test_deeper_classes_are_named_by_their_path(tmp_path: Path) -> None:
    for alphabet, character in [("greek", "a"), ("greek", "b"), ("latin", "a")]:
        for index in range(5):
            put_image(tmp_path / alphabet / character / f"{index}.png", mode="1")
    info = open_source(f"folder:{tmp_path}", options={"depth": 2}).info()
    assert info.classes == ("greek/a", "greek/b", "latin/a")
    assert info.options == {"depth": 2}


def test_images_at_another_depth_are_told_with_the_option(tmp_path: Path) -> None:
    put_image(tmp_path / "greek" / "a" / "0.png")
    put_image(tmp_path / "latin" / "a" / "0.png")
    with pytest.raises(
        DataError, match=r"1 folder\(s\) deep in .*found 2 of 2 images elsewhere: greek/a/0.png \(2 deep\)"
    ) as error:
        open_source(f"folder:{tmp_path}").info()
    assert error.value.hint == "If classes are 2 deep: --depth 2"


def test_train_and_test_folders_are_splits(tmp_path: Path) -> None:
    for split, count in [("train", 20), ("val", 4), ("test", 6)]:
        for index in range(count):
            put_image(tmp_path / split / ("cat" if index % 2 else "dog") / f"{index}.png")
    task = describe_task(f"folder:{tmp_path}").task
    assert task.output.labels == ("cat", "dog")
    assert {name: split.num_examples for name, split in task.splits.items()} == {
        "train": 20,
        "validation": 4,
        "test": 6,
    }


def test_sizes_and_modes_may_vary(cats: Path) -> None:
    put_image(cats / "cat" / "big.png", 7, size=(9, 12), mode="RGB")
    task = describe_task(f"folder:{cats}").task
    assert task.input == objects.Image(height=None, width=None, channels=3)
    assert load_split(task, "train", shape=(8, 4, 3)).inputs.shape[1:] == (8, 4, 3)


def test_a_corrupt_image_is_named_and_skipped_on_request(cats: Path) -> None:
    broken = cats / "dog" / "broken.png"
    broken.write_bytes((cats / "dog" / "1.png").read_bytes()[:40])
    with pytest.raises(DataError, match=r"Cannot read the image .*dog/broken\.png"):
        describe_task(f"folder:{cats}")
    described = describe_task(f"folder:{cats}", options={"skip_bad": True})
    assert described.skipped == (str(broken),)
    assert sum(split.num_examples for split in described.task.splits.values()) == 60
    assert described.task.options == {"skip_bad": True}
    assert len(load_split(described.task, "test", shape=(6, 6, 3))) == 12


@pytest.mark.parametrize("classes", [[], ["cat"]])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, classes: list[str]) -> None:
    for name in classes:
        put_image(tmp_path / name / "0.png")
    with pytest.raises(DataError, match="No images in" if not classes else "at least two classes .* found 1"):
        describe_task(f"folder:{tmp_path}")


def test_no_folder_and_no_depth(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No such folder"):
        open_source(f"folder:{tmp_path / 'none'}")
    with pytest.raises(InvalidInputError, match="depth: expected 1 to 8, got 0"):
        open_source(f"folder:{tmp_path}", options={"depth": 0})


def test_a_folder_or_file_without_rights(cats: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    source = open_source(f"folder:{cats}")
    assert source.info().splits == {"all": 60}
    with monkeypatch.context() as patched:
        patched.setattr("os.open", denied)
        with pytest.raises(DataError, match=r"Cannot read the image .*\.png: Permission denied"):
            list(source.read([Slice(split="all", start=0, stop=1)]))
    monkeypatch.setattr("os.scandir", denied)
    with pytest.raises(DataError, match=r"Cannot read the folder .*: Permission denied"):
        open_source(f"folder:{cats}").info()


@pytest.mark.parametrize("change", ["image", "extra image", "extra class", "fewer"])
def test_a_folder_that_changed_under_the_task_is_refused(cats: Path, change: str) -> None:
    task = describe_task(f"folder:{cats}").task
    if change == "image":
        for index in range(30):
            put_image(cats / "cat" / f"{index}.png", 50)
    elif change == "extra image":
        for index in range(30, 60):
            put_image(cats / "cat" / f"{index}.png", 50)
    elif change == "extra class":
        put_image(cats / "bird" / "0.png")
    else:
        for index in range(29):
            (cats / "cat" / f"{index}.png").unlink()
    with pytest.raises(DataError, match="The data set changed under the task"):
        load_split(task, "train", shape=(6, 6, 3))


def test_unchecked_loading_takes_changed_pixels(cats: Path) -> None:
    task = describe_task(f"folder:{cats}").task
    for index in range(30):
        put_image(cats / "cat" / f"{index}.png", 50)
    assert len(load_split(task, "train", shape=(6, 6, 3), verify=False)) == 36


def test_the_data_may_lie_elsewhere_on_another_machine(cats: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    task = describe_task(f"folder:{cats}").task
    expected = load_split(task, "test", shape=(6, 6, 3))
    moved = cats.rename(tmp_path_factory.mktemp("other") / "moved")
    with pytest.raises(DataError, match=r"The data of task .* is not here: No such folder") as error:
        load_split(task, "test", shape=(6, 6, 3))
    assert "mu2net config set data." in str(error.value.hint)
    found = load_split(task, "test", shape=(6, 6, 3), uri=f"folder:{moved}")
    assert np.array_equal(found.inputs, expected.inputs)


def test_encoded_bytes_count_not_the_decoder(cats: Path) -> None:
    task = describe_task(f"folder:{cats}").task
    buffer = io.BytesIO()
    Image.open(cats / "cat" / "0.png").save(buffer, format="PNG", compress_level=0)
    for file in (cats / "cat").iterdir():
        file.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="the examples of train are others"):
        load_split(task, "train", shape=(6, 6, 3))


def test_a_class_whose_name_is_not_text(tmp_path: Path) -> None:
    for name in (b"good", b"b\xffd"):
        put_image(tmp_path / os.fsdecode(name) / "1.png")
    with pytest.raises(DataError, match="not UTF-8"):
        describe_task(f"folder:{tmp_path}")
