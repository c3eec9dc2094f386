"""What add-task tells of the examples: with counts, only where there is something to tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.data import Stored, census, describe_task, modality_of
from mu2net_core.data.census import Census, LabelCensus

Example = tuple[int, int]
"""A class, and a number that stands for an image."""


def notes(classes: str, **splits: list[Example]) -> tuple[str, ...]:
    counted = Census("images")
    for split, examples in splits.items():
        for label, number in examples:
            counted.add(split, label, (8, 8, 1), number.to_bytes(4))
    return counted.notes(tuple(classes))


def fresh(label: int, count: int, start: int = 0) -> list[Example]:
    return [(label, 1000 * label + start + number) for number in range(count)]


GOOD = {
    "train": fresh(0, 20) + fresh(1, 20),
    "validation": fresh(0, 6, 100) + fresh(1, 6, 100),
    "test": fresh(0, 6, 200) + fresh(1, 6, 200),
}


def test_nothing_is_told_of_good_data() -> None:
    assert notes("ab", **GOOD) == ()


def test_classes_that_a_split_lacks_are_told_per_split_with_counts() -> None:
    found = notes("abcd", **{**GOOD, "test": GOOD["test"] + fresh(2, 3), "train": GOOD["train"] + fresh(3, 9)})
    assert found == (
        "no training examples of 1 of 4 classes: c (3 test)",
        "no validation examples of 2 of 4 classes: c (3 test), d (9 training)",
        "no test examples of 1 of 4 classes: d (9 training)",
    )


def test_classes_without_any_example_are_told() -> None:
    assert notes("abcd", **GOOD) == ("no examples at all of 2 of 4 classes: c, d",)


def test_rare_classes_are_told_rarest_first_and_many_are_cut_short() -> None:
    train = GOOD["train"] + [example for label in range(2, 9) for example in fresh(label, 1 + label % 4)]
    full = {split: examples + [(label, 9000 + 10 * label + number) for label in range(2, 9)]
            for number, (split, examples) in enumerate(list(GOOD.items())[1:])}  # fmt: skip
    assert notes("abcdefghi", train=train, **full) == (
        "fewer than 5 training examples of 7 of 9 classes: e (1), i (1), f (2), c (3), g (3) and 2 more",
    )


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "only 1 test example: quality there is 0 or 100 %"),
        (4, "only 4 test examples: quality there moves in steps of 25 %"),
    ],
)
def test_a_split_too_small_to_score_by_is_told(count: int, told: str) -> None:
    assert told in notes("ab", **{**GOOD, "test": GOOD["test"][:count]})


def test_copies_across_splits_and_within_training_are_counted() -> None:
    copied = {
        "train": GOOD["train"] + GOOD["train"][:3],
        "validation": [*GOOD["validation"], GOOD["train"][0]],
        "test": GOOD["test"] + GOOD["train"][:2] + [GOOD["validation"][0]],
    }
    assert notes("ab", **copied) == (
        "1 of 13 validation and 2 of 15 test images are exact copies of training images: quality will look too good",
        "3 of 43 training images are exact copies of others",
    )


def test_equal_images_of_different_classes_are_told_first() -> None:
    mixed = {**GOOD, "train": [*GOOD["train"], (1, 0), (1, 1)], "test": [*GOOD["test"], (1, 2)]}
    assert notes("ab", **mixed) == (
        "3 images occur with several labels, in 6 examples: a / b (3)",
        "1 of 13 test images are exact copies of training images: quality will look too good",
        "2 of 42 training images are exact copies of others",
    )


def test_images_that_are_all_equal_are_told_and_nothing_else_of_copies() -> None:
    same = {split: [(label, 7) for label, _ in examples] for split, examples in GOOD.items()}
    assert notes("ab", **same) == ("all 64 images are equal: nothing can be learned from them",)


def test_a_class_of_equal_images_is_told() -> None:
    same = {split: [(label, number if label else 7) for label, number in examples] for split, examples in GOOD.items()}
    first, *_ = notes("ab", **same)
    assert first == "all images of a class are equal, in 1 of 2 classes: a (32)"


def test_of_very_many_examples_a_part_is_compared_in_which_all_copies_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_COMPARED", 30)
    monkeypatch.setattr(census, "hash", lambda example: int.from_bytes(example[1]), raising=False)
    twice = [one for one in [*fresh(0, 24), *fresh(1, 24)] for _ in range(2)]
    assert notes("ab", train=twice, validation=fresh(0, 12, 100), test=fresh(1, 12, 100)) == (
        "no validation examples of 1 of 2 classes: b (48 training, 12 test)",
        "no test examples of 1 of 2 classes: a (48 training, 12 validation)",
        "10 of 20 training images are exact copies of others (one in 5 of all were compared)",
    )
    told = notes("ab", train=[(0, 7)] * 40 + [(1, 7)] * 40, validation=[(0, 7)] * 10, test=[(1, 7)] * 10)
    assert told[0] == "all 100 images are equal: nothing can be learned from them"


def test_very_uneven_classes_are_told() -> None:
    train = fresh(0, 900) + fresh(1, 9)
    assert notes("ab", **{**GOOD, "train": train, "validation": fresh(0, 9, 950) + fresh(1, 9, 950), "test":
                          fresh(0, 9, 970) + fresh(1, 9, 970)}) == (
        "very uneven classes: 900 training examples of a (99 % of all), 9 of b "
        "(to let the few count as much as the many: --class-weights balanced)",
    )  # fmt: skip


def test_balanced_weights_let_all_classes_count_as_much_and_are_not_advised_again() -> None:
    census = Census()
    for label, count in ((0, 90), (1, 9), (3, 1)):
        for number in range(count):
            census.add("train", label, (), b"%d %d" % (label, number))
    weights = np.array(census.weights(4))
    np.testing.assert_allclose(weights[[0, 1, 3]] * (90, 9, 1), 100 / 3, rtol=1e-5)
    assert weights[2] == 1, "nobody knows what a class without examples should count"
    assert "--class-weights" in " ".join(census.notes("abcd"))
    assert "--class-weights" not in " ".join(census.notes("abcd", weighed=True))


def test_labels_that_are_rare_absent_or_only_elsewhere_are_told_and_weighed() -> None:
    census = LabelCensus(4, "rows")
    for number in range(100):
        labels = np.array([number % 2, number < 2, 0, number == 0], np.uint8)
        census.add("train", labels if number else labels * [1, 1, 0, 0], (), b"%d" % number)
    census.add("validation", np.array([1, 0, 0, 1]), (), b"0")
    assert census.weights(4) == (1.0, 49.0, 1.0, 1.0)
    told = census.notes("abcd")
    assert told[0] == "no examples at all of 1 of 4 labels: c"
    assert "no training examples of 1 of 4 labels: d (1 validation)" in told
    assert "1 of 1 validation rows are exact copies of training rows: quality will look too good" in told
    assert "fewer than 5 training examples of 1 of 4 labels: b (2)" in told
    assert told[-1].startswith("1 of 4 labels are rare among 100 training examples: b (2) (to let")
    assert census.notes("abcd", weighed=True)[-1] == "1 of 4 labels are rare among 100 training examples: b (2)"


def test_arrays_of_equal_bytes_and_other_shapes_are_no_copies() -> None:
    census = Census("images")
    for split in ("train", "validation", "test"):
        for label in (0, 1):
            for shape in ((2, 8, 1), (4, 4, 1), (16, 1, 1)):
                census.add(split, label, shape, bytes(16))
    assert "3 images occur with several labels, in 18 examples: a / b (3)" in census.notes(("a", "b"))


def test_one_that_occurs_with_several_labels_is_told_as_one() -> None:
    census = Census("rows")
    for label, content in ((0, b"a"), (1, b"a"), (1, b"b")):
        census.add("train", label, (1,), content)
    assert "1 row occurs with several labels, in 2 examples: a / b (1)" in census.notes(("a", "b"))


def save(path: Path, **arrays: Any) -> str:
    np.savez(path / "a.npz", **arrays)
    return f"npz:{path / 'a.npz'}"


def test_what_the_source_says_and_what_was_counted_are_both_told(tmp_path: Path) -> None:
    images = np.arange(60 * 16).astype(np.uint8).reshape(60, 4, 4)
    uri = save(
        tmp_path, x_train=images[:40], y_train=np.arange(40) % 2 + 1, x_test=images[40:], y_test=[1, 2, 3, 1] * 5
    )
    told = describe_task(uri).notes
    assert "named as they are, 1, 2, 3" in told[0]
    assert "no training examples of 1 of 3 classes: 3 (5 test)" in told


def test_the_typical_size_is_the_middle_one() -> None:
    survey = modality_of("image").survey({})
    for height, width in ((10, 90), (10, 20), (500, 30)):
        survey.look(Stored(name="a", input=np.zeros((height, width, 3), np.uint8), label=0))
    assert survey.typical_size() == (10, 30)
