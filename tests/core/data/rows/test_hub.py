"""Folders as the Hub has them: parts of Parquet, and a page that says what their columns are."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from mu2net_core.data import open_source
from mu2net_core.errors import DataError
from mu2net_core.objects import Limits
from mu2net_core.testing.building.saved import IMAGE, LABEL, NAMES, PICTURES, TEXT, TEXTS, every, png, read, write_hub


def test_parts_of_parquet_of_the_hub_are_read_by_their_path_with_their_splits_and_classes(tmp_path: Path) -> None:
    write_hub(tmp_path / "set")
    info, found = read(tmp_path / "set")
    assert (info.input, info.classes) == ("text", tuple(NAMES))
    assert info.splits == {"train": 16, "test": 10, "validation": 4}
    assert every(found) == sorted(((row["text"].encode(), row["label"]) for row in TEXTS), key=str)


README = """---
license: mit
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': zebra
          '1': ant
          '2': NA
---
# A data set
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", README),
        ("README.md", README.replace("\n", "\r\n")),
        ("dataset_infos.json", json.dumps({"default": {"features": {"text": TEXT, "label": LABEL}}})),
    ],
)
def test_names_of_classes_that_stand_beside_the_parts_are_found(tmp_path: Path, name: str, text: str) -> None:
    write_hub(tmp_path / "set", told=False)
    assert read(tmp_path / "set")[0].classes == ("0", "1", "2")
    (tmp_path / "set" / name).write_bytes(text.encode())
    assert read(tmp_path / "set")[0].classes == tuple(NAMES)


STEPS = tuple(pairwise("abcdefghijklmnop"))
BOMBS = {
    "lists of lists": "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in STEPS),
    "merged keys": "\n".join(f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}" for a, b in STEPS),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_page_whose_parts_stand_for_others_says_nothing_of_columns(tmp_path: Path, bomb: str) -> None:
    write_hub(tmp_path / "set", told=False)
    page = f"a: &a {{x: 1}}\n{bomb}\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n"
    (tmp_path / "set" / "README.md").write_text(f"---\n{page}        names: [*p, ant, zebra]\n---\n")
    assert read(tmp_path / "set")[0].classes == ("0", "1", "2")


def test_images_of_parquet_are_read_within_limits(tmp_path: Path) -> None:
    write_hub(tmp_path / "set", rows=PICTURES, first=IMAGE)
    info, found = read(tmp_path / "set")
    assert info.input == "image"
    assert every(found) == sorted(((png(number), number % 3) for number in range(12)), key=str)
    with pytest.raises(DataError, match="take more than 600 bytes"):
        open_source(f"parquet:{tmp_path / 'set'}", limits=Limits(examples_bytes=600))


def test_a_folder_in_the_folder_is_found_and_of_several_one_must_be_named(tmp_path: Path) -> None:
    write_hub(tmp_path / "set" / "plain_text")
    (tmp_path / "set" / "plain_text" / "data").rename(tmp_path / "set" / "text")
    assert read(tmp_path / "set")[0].splits["test"] == 10
    write_hub(tmp_path / "set" / "x")
    (tmp_path / "set" / "x" / "data").rename(tmp_path / "set" / "other")
    with pytest.raises(DataError, match="has several data sets: other, text") as caught:
        read(tmp_path / "set")
    assert "parquet:" in str(caught.value.hint)
