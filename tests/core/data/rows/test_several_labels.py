"""Several labels of a row: lists, texts with a separator, columns of 0 and 1; and which rows go into which split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from mu2net_core.data import open_source
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Classes, Labels, Slice

TAGS = [[name for name, size in (("a", 2), ("b", 3), ("rare", 50)) if n % size == 0] for n in range(200)]


def labels_of(source):
    """Returns the labels of all rows of each split, [N, K], and what goes in."""
    found = {}
    for name, count in source.info().splits.items():
        rows = list(source.read([Slice(split=name, start=0, stop=count)]))
        found[name] = np.array([one.label for one in rows]), [json.loads(one.input) for one in rows]
    return found


def written(folder: Path, form: str):
    """Writes the same labels in a form, and returns their source."""
    path, options = folder / "data.csv", {"target": "tags", "output": "labels"}
    if form == "list":
        path = folder / "data.jsonl"
        path.write_text("".join(json.dumps({"n": n, "tags": tags}) + "\n" for n, tags in enumerate(TAGS)))
        options = {"target": "tags"}
    elif form == "parquet":
        path = folder / "data.parquet"
        parquet.write_table(pyarrow.table({"n": range(200), "labels": TAGS, "other": [[1.0]] * 200}), path)
        options = {}
    elif form == "flags":
        lines = [
            ",".join([str(n), *("01"[name in tags] for name in ("a", "b", "rare"))]) for n, tags in enumerate(TAGS)
        ]
        path.write_text("\n".join(["n,a,b,rare", *lines]))
        options = {"target": "a, b,rare"}
    else:
        cells = [f" {form} ".join(tags).strip() for tags in TAGS]
        path.write_text("\n".join(["n,tags", *(f'{n},"{cell}"' for n, cell in enumerate(cells))]))
    return open_source(f"{path.suffix[1:]}:{path}", options=options)


@pytest.mark.parametrize("form", ["list", "parquet", "flags", "|", ";", ","])
def test_the_same_labels_come_out_of_every_form_and_of_what_a_task_pins(tmp_path: Path, form: str) -> None:
    source = written(tmp_path, form)
    info = source.info()
    assert info.output == Labels(names=("a", "b", "rare"))
    assert info.metric == "map"
    again = open_source(source.uri, options=info.options).info()
    assert (again.output, again.splits, again.options) == (info.output, info.splits, info.options)
    for labels, rows in labels_of(source).values():
        expected = [[name in TAGS[int(row["n"])] for name in ("a", "b", "rare")] for row in rows]
        np.testing.assert_array_equal(labels, expected)
        assert set(rows[0]) == {"n"}, "no label goes in"


def test_every_split_has_its_share_of_every_label_and_one_at_least_where_there_are_three(tmp_path: Path) -> None:
    found = {split: labels for split, (labels, _) in labels_of(written(tmp_path, "list")).items()}
    assert {split: len(labels) for split, labels in found.items()} == {"train": 120, "validation": 40, "test": 40}
    sums = {split: labels.sum(axis=0).tolist() for split, labels in found.items()}
    assert sums["validation"][2] == sums["test"][2] == 1, "four rows are rare"
    for split in ("validation", "test"):
        np.testing.assert_allclose(sums[split][:2], (20, 67 / 5), atol=1)


def test_a_label_of_two_rows_is_there_to_be_learned_and_to_choose_by(tmp_path: Path) -> None:
    lines = [
        {"n": n, "labels": ["twice"] if n in {5, 9} else ["once"] if n == 7 else ["x"] * (n % 2)} for n in range(60)
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = open_source(f"jsonl:{tmp_path / 'data.jsonl'}")
    found = {split: labels.sum(axis=0) for split, (labels, _) in labels_of(source).items()}
    names = source.info().output.names
    assert [found[split][names.index("once")] for split in ("train", "validation", "test")] == [1, 0, 0]
    assert [found[split][names.index("twice")] for split in ("train", "validation", "test")] == [1, 1, 0]


def test_an_empty_cell_names_no_label_and_what_is_unknown_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("n,tags\n" + "".join(f"{n},{('a|b', 'a', '', 'NA')[n % 4]}\n" for n in range(80)))
    info = open_source(f"csv:{path}", options={"target": "tags", "output": "labels"}).info()
    assert (sum(info.splits.values()), info.output) == (60, Labels(names=("a", "b")))
    assert "tags holds 2 labels, separated by '|' (another: --label-separator): a, b" in info.notes
    assert "20 rows without a value of tags are left out" in info.notes
    classes = open_source(f"csv:{path}", options={"target": "tags"}).info()
    assert classes.output == Classes(names=("a", "a|b")), "nobody is sure that these are several"


def test_cells_that_look_like_several_labels_are_told(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("n,tags\n" + "".join(f"{n},{('a;b', 'a', 'b;c', 'c;a')[n % 4]}\n" for n in range(80)))
    (note,) = open_source(f"csv:{path}", options={"target": "tags"}).info().notes
    assert note == "if the cells of tags name several labels, separated by ';': --output labels"


@pytest.mark.parametrize(
    ("text", "options", "error", "complaint"),
    [
        ("n,t\n1,a\n2,b\n", {"target": "t", "output": "labels"}, DataError, "names several labels: none holds"),
        ("n,t\n1,\n2,\n3,NA\n", {"target": "t", "output": "labels"}, DataError, "none holds"),
        ("n,a,b\n1,0,1\n2,2,1\n", {"target": "a,b"}, DataError, "a of several labels has neither 0 nor 1.*'2'"),
        ("n,a,b\n1,0,0\n2,0,0\n", {"target": "a,b"}, DataError, "no labels to learn in a, b: no row has any"),
        ("n,a,b\n1,0,1\n2,0,1\n", {"target": "a,b"}, DataError, "all rows have the same"),
        ("n,a,b\n1,0,1\n", {"target": "a,c"}, InvalidInputError, "No column 'c' for the target"),
        ("n,a,b\n1,0,1\n", {"target": "a,A"}, InvalidInputError, "named twice"),
        (
            "n,a,b\n1,0,1\n",
            {"target": "a,b", "output": "classes"},
            InvalidInputError,
            "are several labels, not classes",
        ),
        ("n,t\n1,a\n2,b\n", {"target": "t", "label_separator": "|"}, InvalidInputError, "is for labels"),
    ],
)
def test_what_are_no_labels_is_refused_with_a_reason(tmp_path: Path, text: str, options, error, complaint) -> None:
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(error, match=complaint):
        open_source(f"csv:{tmp_path / 'data.csv'}", options=options)
