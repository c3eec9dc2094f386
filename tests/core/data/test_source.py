from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.data import (
    Examples,
    Source,
    SourceInfo,
    Stored,
    StoredExamples,
    describe_task,
    load_split,
    open_source,
)
from mu2net_core.errors import DataError
from mu2net_core.objects import Classes, Slice

SLICES = (
    Slice(split="all", start=5, stop=9),
    Slice(split="all", start=1, stop=3),
    Slice(split="all", start=8, stop=12),
)


class Plugin(Source):
    """The least a source can be."""

    uri = "mine:x"

    def info(self) -> SourceInfo:
        return SourceInfo(splits={"all": 12}, output=Classes(names=("a", "b")))

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        for part in slices:
            for index in range(part.start, part.stop):
                yield Stored(name=f"all[{index}]", input=bytes([index]), label=index % 2)


def some_source(kind: str, folder: Path) -> Source:
    if kind == "npz":
        np.savez(folder / "a.npz", x=np.arange(12 * 4, dtype=np.uint8).reshape(12, 2, 2), y=np.arange(12) % 2)
        return open_source(f"npz:{folder / 'a.npz'}")
    if kind == "folder":
        for index in range(12):
            (folder / str(index % 2)).mkdir(exist_ok=True)
            Image.new("L", (2, 2), index).save(folder / str(index % 2) / f"{index}.png")
        return open_source(f"folder:{folder}")
    return Plugin() if kind == "plug-in" else open_source("sklearn:digits/parity")


@pytest.mark.parametrize("kind", ["digits", "folder", "npz", "plug-in"])
def test_examples_by_number_are_those_that_are_read(tmp_path: Path, kind: str) -> None:
    source = some_source(kind, tmp_path)
    read, examples = list(source.read(SLICES)), source.examples(SLICES)
    assert len(examples) == len(read) == 10
    assert len({stored.name for stored in read}) == 9
    order = (9, 0, 4, 3, 5, 8, 1, 2, 7, 6)
    for index, taken in zip(order, examples.take(order), strict=True):
        found, expected = examples[index], read[index]
        assert taken.name == found.name
        assert (found.name, found.label) == (expected.name, expected.label)
        assert np.array_equal(found.input, expected.input)
    for index in (-1, 10):
        with pytest.raises(IndexError, match="expected 0 to 9"):
            examples[index]


def test_no_slices_are_no_examples() -> None:
    assert list(StoredExamples((), lambda *_: pytest.fail("there is nothing to fetch"))) == []


@pytest.mark.parametrize("labels", [np.zeros(3, np.int32), np.zeros((1, 2), np.float32), np.zeros((), np.int32)])
def test_there_are_as_many_labels_as_inputs(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected inputs \[N, ...\] and labels \[N, ...\], got \(2, 4, 4, 3\) and "):
        Examples(inputs=np.zeros((2, 4, 4, 3), np.uint8), labels=labels)
    assert len(Examples(inputs=np.zeros((2, 4, 4, 3), np.uint8), labels=np.zeros(2, np.int32))) == 2


@pytest.mark.parametrize("num_examples", [0, 10**13])
def test_a_split_that_counts_other_examples_than_its_slices_name(num_examples: int) -> None:
    task = describe_task("sklearn:digits").task
    wrong = replace(task.splits["test"], num_examples=num_examples)
    with pytest.raises(DataError, match="names 359 examples and counts"):
        load_split(replace(task, splits={**task.splits, "test": wrong}), "test", shape=(8, 8, 3))
