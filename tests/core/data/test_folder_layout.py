"""Which folders are splits and which are classes, and what is done about images that lie elsewhere."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mu2net_core.data import describe_task
from mu2net_core.data.sources.layout import arrange, split_named
from mu2net_core.errors import DataError
from mu2net_core.objects import Task


def make(root: Path, *folders: str, count: int = 10) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (root / folder / f"{index}.pgm").write_bytes(b"P5 1 1 255 " + bytes([index]))
    return root


def classes(*folders: str) -> list[str]:
    return [f"{folder}/{name}" for folder in folders for name in ("a", "b")]


def counts(task: Task) -> dict[str, int]:
    """Returns the number of examples by the split of the source that they come from."""
    slices = [part for split in task.splits.values() for part in split.slices]
    return {name: sum(p.stop - p.start for p in slices if p.split == name) for name in {p.split for p in slices}}


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("train", "train"), ("Train", "train"), ("TRAINING", "train"), ("training_set", "train"), ("trainset", "train"),
        ("Train-Data", "train"), ("trainval", "train"), ("val", "validation"), ("Valid", "validation"),
        ("validation images", "validation"), ("dev", "validation"), ("eval", "validation"), ("test", "test"),
        ("Testing", "test"), ("test.set", "test"), ("trainer", None), ("car", None), ("retrain", None),
        ("devices", None), ("tests", None), ("train test", None), ("", None),
    ],
)  # fmt: skip
def test_the_usual_names_of_splits_in_any_case(folder: str, split: str | None) -> None:
    assert split_named(folder)[0] == split


SPLIT_NAMES = [
    ("Train", "Test"),
    ("training", "testing"),
    ("training_set", "test_set"),
    ("Train-Data", "test"),
    ("seg_train", "seg_test"),
    ("train2017", "test2017"),
    ("trainval", "test"),
    ("01_train", "02_test"),
    ("1. Train", "2. Test"),
    ("train_v2", "test_v1"),
    ("Trainingsdaten", "Testdaten"),
    ("train", "holdout"),
    ("seg_train/seg_train", "seg_test/seg_test"),
    ("training_set/training_set", "test_set/test_set"),
    ("train/Train", "test"),
    ("train", "test/test/test"),
    ("my pets_train/train", "my pets_test/test"),
]


@pytest.mark.parametrize("names", SPLIT_NAMES)
@pytest.mark.parametrize("given", [{}, {"depth": 1}])
def test_splits_by_any_usual_name_are_splits(tmp_path: Path, names: tuple[str, ...], given: dict[str, int]) -> None:
    task = describe_task(f"folder:{make(tmp_path, *classes(*names))}", options=given).task
    assert (task.output.labels, counts(task)) == (("a", "b"), {"train": 20, "test": 20})


def test_training_images_alone_are_a_split_too(tmp_path: Path) -> None:
    task = describe_task(f"folder:{make(tmp_path, *classes('train'))}").task
    assert (task.output.labels, counts(task)) == (("a", "b"), {"train": 20})


@pytest.mark.parametrize("folders", [["test"], ["test/test"], ["test/a1", "test/b1"], ["test/x/y"]])
def test_a_test_set_without_labels_is_told_and_left_out(tmp_path: Path, folders: list[str]) -> None:
    described = describe_task(f"folder:{make(tmp_path, *classes('train'), *folders)}")
    assert (described.task.output.labels, counts(described.task)) == (("a", "b"), {"train": 20})
    assert described.notes[:1] == (
        f"left out test, {10 * len(folders)} images without labels: none lies in a class that is trained",
    )


@pytest.mark.parametrize("names", [("car", "train"), ("test_tube", "train_station"), ("dev", "ops")])
def test_a_class_may_have_the_name_of_a_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert describe_task(f"folder:{make(tmp_path, *names)}").task.output.labels == names


def refused(root: Path, **options: int | bool) -> tuple[str, str]:
    with pytest.raises(DataError) as error:
        describe_task(f"folder:{root}", options=options)
    return error.value.message, str(error.value.hint)


@pytest.mark.parametrize(
    ("folders", "depth", "num_classes", "num_images"),
    [
        ([*classes("greek"), "latin/c", "latin/d"], 1, 4, 40),
        (["greek", "latin"], 2, 2, 20),
        (classes("Train", "Test"), 2, 2, 40),
        (classes("Train/greek", "Test/greek"), 1, 2, 40),
        (classes("seg_train", "seg_test"), 2, 2, 40),
        (classes("seg_train/a/b", "seg_test/a/b"), 1, 2, 40),
        (classes("my pets"), 1, 2, 20),
        (classes("my pets/Train", "my pets/Test"), 1, 2, 40),
        (classes("my pets/Train", "my pets/Test"), 3, 2, 40),
        (["greek/x/a", "greek/y/b", "latin/x/c"], 1, 3, 30),
        (["cat/images", "dog/images", "owl/images"], 1, 3, 30),
        (["cat/persian", "cat/siam", "cat/other", "dog/poodle", "dog/dachshund", "dog/other"], 1, 6, 60),
        ([*classes("train"), "docs"], 1, 2, 20),
        ([*classes("train", "test"), "docs"], 1, 2, 40),
        ([*classes("train", "test"), "docs"], 2, 2, 40),
        (["cat", "dog", "."], 1, 2, 20),
        (["cat", "dog", "dog/more"], 1, 2, 20),
        (["cat", "dog", "cat/thumbs", "dog/thumbs"], 1, 2, 20),
        (["cat", "dog", "cat/thumbs/s", "cat/thumbs/m", "dog/thumbs/s", "dog/thumbs/m"], 1, 2, 20),
        (["cat", "dog", "birds/owl", "birds/eagle"], 1, 2, 20),
        (["cat", "dog", "cat/thumbs", "dog/thumbs", "docs/figures"], 1, 2, 20),
        (classes("site1/train", "site1/test", "site2/train", "site2/test"), 1, 2, 40),
        (["set/cat", "set/dog", "set/set/cat", "set/set/dog"], 1, 2, 20),
        (classes("train", "test", "train/a", "test/b"), 1, 2, 40),
        ([*classes("x/Train", "x/Test"), "x"], 1, 2, 40),
    ],
)  # fmt: skip
def test_what_the_hint_says_leads_to_all_images_that_belong(
    tmp_path: Path, folders: list[str], depth: int, num_classes: int, num_images: int
) -> None:
    _, hint = refused(make(tmp_path, *folders), depth=depth)
    uri, options = f"folder:{tmp_path}", {"depth": depth}
    words = iter(shlex.split(hint.partition(": ")[2]))
    for word in words:
        if word == "--depth":
            options["depth"] = int(next(words))
        elif word == "--skip-stray":
            options["skip_stray"] = True
        else:
            uri, options = word, {}
    task = describe_task(uri, options=options).task
    assert (task.output.size, sum(counts(task).values())) == (num_classes, num_images)
    assert not any(split_named(part)[0] for name in task.output.labels for part in name.split("/"))


def test_a_stray_image_is_named_and_left_out_on_request(tmp_path: Path) -> None:
    make(tmp_path, "cat", "dog")
    make(tmp_path, ".", count=1)
    message, hint = refused(tmp_path)
    assert "found 1 of 21 images elsewhere: 0.pgm (0 deep)." in message
    assert hint == "Leave 1 of 21 images out: --skip-stray"
    described = describe_task(f"folder:{tmp_path}", options={"skip_stray": True})
    assert described.notes[0] == "left out 1 of 21 images elsewhere: 0.pgm"
    assert described.task.options == {"skip_stray": True}


@pytest.mark.parametrize(
    ("folders", "depth", "match"),
    [
        (classes("train", "val", "valid"), 1, "one folder for the split validation, found val and valid"),
        (["a/train", "a/test", "b/train", "b/test"], 2, "test and train look like splits"),
        (classes("x/Train", "x/Test"), 3, "Test and Train look like splits"),
        (["cat_train", "cat_test", "dog_train", "dog_test"], 1, "one series of splits"),
        (classes("x/train1", "x/test1", "y/train1", "y/test1"), 3, "test1 and train1 look like splits"),
        (["train", "test"], 1, "20 of 20 images elsewhere"),
        (classes("val", "test"), 1, "has no split train; it has test, validation"),
    ],
)
def test_splits_never_become_classes(tmp_path: Path, folders: list[str], depth: int, match: str) -> None:
    message, hint = refused(make(tmp_path, *folders), depth=depth)
    assert match in message
    assert "--depth" not in hint or "--depth 1" in hint


@pytest.mark.parametrize(
    "names",
    [
        ("entrenamiento", "prueba"),
        ("训练", "测试"),
        ("learn", "test"),
        ("train", "x_val"),
        ("fold1", "fold2", "fold3"),
        ("site1", "site2"),
        ("everything/color", "everything/grayscale"),
    ],
)
@pytest.mark.parametrize("more", [(), ("docs",)])
def test_folders_in_which_the_same_classes_lie_are_not_taken_for_classes(
    tmp_path: Path, names: tuple[str, ...], more: tuple[str, ...]
) -> None:
    make(tmp_path, *classes(*names), *more)
    for name in ("0", "1"):
        make(tmp_path, f"{names[0]}/a/../b", count=10 + int(name))
    _, hint = refused(tmp_path)
    total, num = 20 * len(names) + 1 + 10 * len(more), 21
    short = tuple(name.rpartition("/")[2] for name in names)
    assert hint.startswith("The same folders (a, b) lie in ")
    assert "splits of one data set, rename them to train, test or validation. If they are copies or sites" in hint
    assert f"name one of them, without {total - num} of {total} images: " in hint
    one, _, depth = hint.partition(" images: ")[2].partition(". Only if ")
    assert describe_task(*shlex.split(one)).task.output.labels == ("a", "b")
    first, second, *_ = sorted(short)
    assert depth.startswith(f"{first}/a and {second}/a are different classes, of {2 * len(names)} in all")


def test_the_same_classes_in_each_folder_of_a_split_are_to_be_put_together(tmp_path: Path) -> None:
    _, hint = refused(make(tmp_path, *classes("train/x", "train/y", "test/x", "test/y")))
    assert hint == (
        "The same folders (a, b) lie in x and y. If they are the same classes, put the images of each into one folder: "
        "SPLIT/CLASS/IMAGE. Only if x/a and y/a are different classes, of 4 in all: --depth 2"
    )


def test_the_same_names_in_each_folder_are_classes_on_request_and_told(tmp_path: Path) -> None:
    described = describe_task(f"folder:{make(tmp_path, *classes('greek', 'latin'))}", options={"depth": 2})
    assert described.task.output.size == 4
    assert described.notes[0] == (
        "the same folders (a, b) lie in greek and latin: greek/a and latin/a are different classes here, "
        "which is wrong if these are splits, copies or sites of one data set"
    )


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        (("Cat", "Dog"), ("cat", "dog"), "'test/cat' and 'train/Cat'; 'test/dog' and 'train/Dog'"),
        (("cat", "dog"), ("cat ", "dog"), "'test/cat ' and 'train/cat'"),
        (("big_cat", "dog"), ("big cat", "dog"), "'test/big cat' and 'train/big_cat'"),
        (("01", "02"), ("1", "2"), "'test/1' and 'train/01'; 'test/2' and 'train/02'"),
        (("cat", "dog"), ("cat", "\uff24og"), "'test/\uff24og' and 'train/dog'"),
    ],
)
def test_a_class_that_is_written_otherwise_in_the_test_set_is_refused(
    tmp_path: Path, train: tuple[str, ...], test: tuple[str, ...], told: str
) -> None:
    make(tmp_path, *(f"train/{name}" for name in train), *(f"test/{name}" for name in test))
    message, hint = refused(tmp_path)
    assert f"Expected the same names of classes in each split, found {told}: " in message
    assert "Rename these folders" in hint


def test_classes_that_differ_in_case_in_every_split_are_classes(tmp_path: Path) -> None:
    make(tmp_path, *(f"{split}/{name}" for split in ("train", "test") for name in ("a", "A")))
    assert describe_task(f"folder:{tmp_path}").task.output.labels == ("A", "a")


def test_splits_without_training_images_are_chosen_as_the_hint_says(tmp_path: Path) -> None:
    make(tmp_path, *classes("val", "test"))
    _, hint = refused(tmp_path)
    words = shlex.split(hint.partition("for example: ")[2])
    chosen = {name.removeprefix("--"): spec for name, spec in zip(words[::2], words[1::2], strict=True)}
    task = describe_task(f"folder:{tmp_path}", **chosen).task
    assert {name: split.num_examples for name, split in task.splits.items()} == {
        "train": 16,
        "validation": 4,
        "test": 20,
    }


def test_an_image_in_a_split_is_as_deep_as_its_class(tmp_path: Path) -> None:
    make(tmp_path, *classes("train", "test"))
    make(tmp_path, "train/a/more", count=1)
    message, _ = refused(tmp_path)
    assert f"1 folder(s) deep in test and train of {tmp_path}; found 1 of 41 images" in message
    assert "train/a/more/0.pgm (2 deep)" in message


def test_stray_images_are_not_all_there_may_be(tmp_path: Path) -> None:
    message, _ = refused(make(tmp_path, *classes("x", "y")), skip_stray=True)
    assert "40 of 40 images elsewhere" in message


def test_images_of_no_class_in_a_labelled_test_set_are_stray() -> None:
    layout = arrange(["train/a/0.png", "train/b/0.png", "test/a/0.png", "test/1.png"], 1)
    assert (layout.stray, dict(layout.unlabelled)) == (("test/1.png",), {})
