from __future__ import annotations

import shlex

import pytest

from mu2net_core.data import SourceInfo, resolve_splits
from mu2net_core.data.splits import parse_spec
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Classes, Slice

BANGLA = SourceInfo(splits={"train": 5000, "test": 1000}, output=Classes(names=("a", "b")))
DIGITS = SourceInfo(splits={"all": 1797}, output=Classes(names=("a", "b")))
FULL = SourceInfo(splits={"train": 1000, "validation": 100, "test": 100}, output=Classes(names=("a", "b")))


def specs(info: SourceInfo, uri: str = "tfds:mnist:3.0.1", **given: str) -> dict[str, str]:
    return {name: spec for name, (spec, _) in resolve_splits(info, uri, **given).items()}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("train", [("train", 0, 5000)]),
        ("train[:20%]", [("train", 0, 1000)]),
        ("train[20%:]", [("train", 1000, 5000)]),
        ("train[10:20]", [("train", 10, 20)]),
        ("train[-10:]", [("train", 4990, 5000)]),
        ("train[:-10%]", [("train", 0, 4500)]),
        ("train[:0%]+test", [("test", 0, 1000)]),
        ("test[:1] + train[1:2]", [("test", 0, 1), ("train", 1, 2)]),
        ("train[20:10]", []),
    ],
)
def test_a_specification_means_exact_slices(spec: str, expected: list[tuple[str, int, int]]) -> None:
    slices = parse_spec(spec, BANGLA.splits, "tfds:x")
    assert [(s.split, s.start, s.stop) for s in slices] == expected


@pytest.mark.parametrize(("percent", "stop"), [(33, 593), (50, 898), (1, 18), (99, 1779)])
def test_percentages_round_to_the_closest_example(percent: int, stop: int) -> None:
    assert parse_spec(f"all[:{percent}%]", DIGITS.splits, "x") == (Slice(split="all", start=0, stop=stop),)


@pytest.mark.parametrize("spec", ["", "train[", "train[a:b]", "train[:5%%]", "train+", "train[5]", "train[:5%]x"])
def test_a_specification_that_cannot_be_read(spec: str) -> None:
    with pytest.raises(InvalidInputError, match="Not a split"):
        parse_spec(spec, BANGLA.splits, "tfds:x")


@pytest.mark.parametrize("spec", ["train[:101%]", "train[:5001]", "train[-5001:]", "train[-101%:]"])
def test_a_boundary_out_of_range(spec: str) -> None:
    with pytest.raises(InvalidInputError, match="Out of range"):
        parse_spec(spec, BANGLA.splits, "tfds:x")


def test_a_split_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r"No split 'dev' in tfds:mnist:3.0.1; it has train \(5000\), test \(1000\)"):
        specs(BANGLA, validation="dev")


@pytest.mark.parametrize(
    ("uri", "info", "train", "validation", "test"),
    [
        ("tfds:cmaterdb/bangla:1.0.0", BANGLA, "train[20%:]", "train[:20%]", "test"),
        ("tfds:mnist:3.0.1", BANGLA, "train[5%:]", "train[:5%]", "test"),
        ("tfds:dtd:3.0.1", FULL, "train", "validation", "test"),
        ("tfds:cifar100:3.0.2", BANGLA, "train[:98%]", "train[98%:]", "test"),
        ("sklearn:digits", DIGITS, "all[40%:]", "all[20%:40%]", "all[:20%]"),
        ("folder:/cmaterdb/bangla", BANGLA, "train[10%:]", "train[:10%]", "test"),
    ],
)
def test_defaults(uri: str, info: SourceInfo, train: str, validation: str, test: str) -> None:
    assert specs(info, uri) == {"train": train, "validation": validation, "test": test}


@pytest.mark.parametrize(
    ("num_examples", "validation"), [(240, 48), (1797, 359), (2500, 500), (4000, 500), (10_000, 500), (60_000, 3000)]
)
@pytest.mark.parametrize("split", ["train", "all"])
def test_of_ones_own_data_enough_is_held_out_to_choose_by_but_never_more_than_a_fifth(
    split: str, num_examples: int, validation: int
) -> None:
    info = SourceInfo(splits={split: num_examples, "other": 7}, output=Classes(names=("a", "b")))
    found = {
        name: sum(part.stop - part.start for part in slices)
        for name, (_, slices) in resolve_splits(info, "npz:/x").items()
    }
    assert abs(found["validation"] - validation) <= 1
    assert abs(found["test"] - (num_examples / 5 if split == "all" else found["validation"])) <= 1
    assert sum(found.values()) == num_examples


def test_without_a_test_split_test_takes_the_first_share_and_validation_the_next() -> None:
    info = SourceInfo(splits={"train": 1000}, output=Classes(names=("a", "b")))
    assert specs(info) == {"train": "train[10%:]", "validation": "train[5%:10%]", "test": "train[:5%]"}


def test_the_decathlon_halves_its_validation() -> None:
    info = SourceInfo(splits={"train": 10, "validation": 5, "test": 7}, output=Classes(names=("a", "b")))
    found = specs(info, "tfds:visual_domain_decathlon/dtd:1.2.0")
    assert found == {"train": "train", "validation": "validation[:40%]", "test": "validation[40%:]"}


def test_explicit_specifications_win_and_are_kept_as_written() -> None:
    given = {"train": "train[:100]", "validation": "train[50%:60%]", "test": "test[:50%]+train[90%:]"}
    assert specs(BANGLA, **given) == given


def test_defaults_take_only_what_explicit_specifications_leave() -> None:
    resolved = resolve_splits(BANGLA, "tfds:mnist:3.0.1", validation="train[100:200]")
    assert resolved["train"][1] == (
        Slice(split="train", start=0, stop=100),
        Slice(split="train", start=200, stop=5000),
    )
    assert specs(BANGLA, test="train[:10%]")["validation"] == "train[10%:15%]"


def test_what_a_specification_says_is_what_its_slices_are() -> None:
    for size in (7, 99, 1797, 12345):
        info = SourceInfo(splits={"all": size}, output=Classes(names=("a", "b")))
        for spec, slices in resolve_splits(info, "npz:/x").values():
            assert parse_spec(spec, info.splits, "x") == slices


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"test": "test[:0]"}, "No examples for test: test"),
        ({"train": "train"}, "No examples for validation: 5% of train is empty"),
        ({"validation": "train[:99%]", "test": "train[99%:]"}, "No examples for train: the rest of train is empty"),
    ],
)
def test_an_empty_split_is_refused(given: dict[str, str], match: str) -> None:
    with pytest.raises(DataError, match=match):
        specs(BANGLA, **given)


def test_a_source_without_train_needs_explicit_splits() -> None:
    info = SourceInfo(splits={"test": 1000}, output=Classes(names=("a", "b")))
    with pytest.raises(DataError, match="has no split train; it has test"):
        specs(info)


@pytest.mark.parametrize(
    ("splits", "given"),
    [
        ({"validation": 40, "test": 20}, {"train": "validation[50%:]", "validation": "validation[:50%]"}),
        ({"test": 20}, {"train": "test[:10]", "validation": "test[10:15]", "test": "test[15:]"}),
        ({"small": 9, "large": 99}, {"train": "large", "validation": "small[:5]", "test": "small[5:]"}),
    ],
)
def test_a_source_without_train_is_used_as_it_is_said(splits: dict[str, int], given: dict[str, str]) -> None:
    info = SourceInfo(splits=splits, output=Classes(names=("a", "b")))
    assert specs(info, **given) == {"test": "test", **given}


@pytest.mark.parametrize(
    ("splits", "shared"),
    [({"test": 50}, "test"), ({"test": 80, "validation": 50}, "validation"), ({"a": 10, "b": 70}, "b")],
)
def test_what_is_suggested_for_a_source_without_train_works(splits: dict[str, int], shared: str) -> None:
    info = SourceInfo(splits=splits, output=Classes(names=("a", "b")))
    with pytest.raises(DataError, match="no examples are known for") as error:
        specs(info)
    words = shlex.split(str(error.value.hint).partition("for example: ")[2])
    found = specs(info, **{name[2:]: spec for name, spec in zip(words[::2], words[1::2], strict=True)})
    assert found["train"].startswith(shared)
