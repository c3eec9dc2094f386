"""The sources of data that are shipped keep the contract of all sources; and the suite notices who does not."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image

from mu2net_core.data import Source, SourceInfo, Stored, open_source
from mu2net_core.data.source import RandomAccess, StoredExamples
from mu2net_core.errors import DataError
from mu2net_core.objects import Classes, Slice
from mu2net_core.testing.conformance.sources import SourceTests

Open = Callable[[], Source]


class TestDigits(SourceTests):
    @pytest.fixture
    def open_source(self) -> Open:
        return lambda: open_source("sklearn:digits")


class TestArchive(SourceTests):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Open:
        pixels = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2)
        np.savez(tmp_path / "a.npz", x=pixels, y=np.arange(10) % 2)
        return lambda: open_source(f"npz:{tmp_path / 'a.npz'}")


class TestZip(SourceTests):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Open:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(8):
                with archive.open(f"{'ab'[number % 2]}/{number}.png", "w") as file:
                    Image.new("L", (3, 3), number).save(file, "png")
        return lambda: open_source(f"archive:{tmp_path / 'a.zip'}")


class TestTable(SourceTests):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Open:
        rows = "".join(f"{number},{'red' if number % 3 else 'blue'},{'ab'[number % 2]}\n" for number in range(40))
        (tmp_path / "rows.csv").write_text("size,colour,class\n" + rows)
        return lambda: open_source(f"csv:{tmp_path / 'rows.csv'}")


class TestNumbersOfRows(SourceTests):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Open:
        rows = [{"a": number % 7, "b": None if number % 5 else "x", "y": number / 3} for number in range(40)]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return lambda: open_source(f"jsonl:{tmp_path / 'rows.jsonl'}")


class TestSaved(SourceTests):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Open:
        rows = pyarrow.table({"a": range(40), "b": [f"{number % 5}" for number in range(40)], "y": ["u", "v"] * 20})
        with pyarrow.OSFile(str(tmp_path / "x.arrow"), "wb") as file, pyarrow.ipc.new_stream(file, rows.schema) as sink:
            sink.write_table(rows)
        (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "x.arrow"}]}))
        (tmp_path / "dataset_info.json").write_text("{}")
        return lambda: open_source(f"datasets:{tmp_path}")


class TestFolder(SourceTests):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Open:
        for number in range(8):
            folder = tmp_path / "pictures" / "ab"[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((2, 2), number, np.uint8)).save(folder / f"{number}.png")
        return lambda: open_source(f"folder:{tmp_path / 'pictures'}")


class Numbers(Source):
    """Ten pictures of one pixel in a split, and five in another."""

    uri = "numbers:ten"

    def info(self) -> SourceInfo:
        return SourceInfo(splits={"a": 10, "b": 5}, output=Classes(names=("even", "odd")))

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        for part in slices:
            for number in range(part.start, part.stop):
                yield self.one(part.split, number)

    def one(self, split: str, number: int) -> Stored:
        image = np.full((1, 1), number, np.uint8)
        return Stored(name=f"{split}[{number}]", input=image, label=number % 2)


class TestNumbers(SourceTests):
    @pytest.fixture
    def open_source(self) -> Open:
        return Numbers


CALLS = count()


class RandomName(Numbers):
    @property
    def uri(self) -> str:  # type: ignore[override]
        return f"numbers:{next(CALLS)}"


class Nameless(Numbers):
    uri = "numbers"


class Empty(Numbers):
    def info(self) -> SourceInfo:
        return SourceInfo(splits={}, output=Classes(names=()))


class SameClassTwice(Numbers):
    def info(self) -> SourceInfo:
        return replace(super().info(), output=Classes(names=("even", "even")))


class TooFew(Numbers):
    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        return (one for one in super().read(slices) if one.name != "b[4]")


class UnknownLabel(Numbers):
    def one(self, split: str, number: int) -> Stored:
        return replace(super().one(split, number), label=number)


class Floats(Numbers):
    def one(self, split: str, number: int) -> Stored:
        return replace(super().one(split, number), input=np.ones((1, 1), np.float32))


class SameName(Numbers):
    def one(self, split: str, number: int) -> Stored:
        return replace(super().one(split, number), name=str(number))


class Shuffled(Numbers):
    def one(self, split: str, number: int) -> Stored:
        return replace(super().one(split, number), input=np.full((1, 1), next(CALLS) % 251, np.uint8))


class Sorted(Numbers):
    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        return super().read(sorted(slices, key=lambda part: (part.split, part.start)))


class OffByOne(Numbers):
    def examples(self, slices: Sequence[Slice]) -> RandomAccess:
        return StoredExamples(slices, lambda split, number: self.one(split, number + 1))


class Endless(Numbers):
    def examples(self, slices: Sequence[Slice]) -> RandomAccess:
        return _Endless(super().examples(slices))  # type: ignore[return-value]


class _Endless:
    def __init__(self, held: RandomAccess) -> None:
        self._held = held

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, number: int) -> Stored:
        return self._held[number % len(self._held)]


class OneCursor(Numbers):
    """Has one place in its file for all who read."""

    def examples(self, slices: Sequence[Slice]) -> RandomAccess:
        place = 0

        def fetch(split: str, number: int) -> Stored:
            nonlocal place
            place += 1
            return self.one(split, number if place <= len(held) else 0)

        held = StoredExamples(slices, fetch)
        return held


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (RandomName, "its_uri_names_it_and_stays"),
        (Nameless, "its_uri_names_it_and_stays"),
        (Empty, "says_what_it_holds"),
        (SameClassTwice, "says_what_it_holds"),
        (TooFew, "yields_as_many_examples_as_are_asked_for"),
        (UnknownLabel, "examples_are_of_its_kind_and_labels_of_its_output"),
        (Floats, "examples_are_of_its_kind_and_labels_of_its_output"),
        (SameName, "no_two_examples_have_the_same_name"),
        (Shuffled, "examples_come_in_the_same_order_every_time"),
        (Sorted, "slices_come_one_after_the_other_as_they_are_given"),
        (OffByOne, "by_number_they_are_the_same_in_any_order"),
        (Endless, "beyond_the_last_there_is_none"),
        (OneCursor, "several_threads_read_the_same_at_once"),
    ],
)
def test_the_suite_notices_what_is_wrong(wrong: Any, test: str) -> None:
    with pytest.raises((AssertionError, DataError, pytest.fail.Exception)):
        getattr(SourceTests(), f"test_{test}")(wrong)
