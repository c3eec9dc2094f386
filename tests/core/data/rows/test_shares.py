"""Which rows train, validate and test: every class in each split, groups in one, what a file says as it says it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.data import open_source
from mu2net_core.data.rows import files
from mu2net_core.data.rows.shares import fair_rows, parted
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Number, Slice


def rows_of(source):
    """Returns the rows of each split, as names and what goes in."""
    counts = source.info().splits
    return {name: list(source.read([Slice(split=name, start=0, stop=count)])) for name, count in counts.items()}


def table(folder: Path, lines, name="data.csv", **options):
    (folder / name).write_text("\n".join(lines) + "\n")
    return open_source(f"csv:{folder / name}", options={"target": "y", **options})


def test_every_class_gives_its_share_to_every_split(tmp_path: Path) -> None:
    classes = ["often"] * 900 + ["seldom"] * 90 + ["twice"] * 10
    source = table(tmp_path, ["a,y", *(f"{number},{name}" for number, name in enumerate(classes))])
    found = {split: Counter(one.label for one in rows) for split, rows in rows_of(source).items()}
    assert {split: sum(counts.values()) for split, counts in found.items()} == {
        "train": 600,
        "validation": 200,
        "test": 200,
    }
    assert found["test"] == Counter({0: 180, 1: 18, 2: 2})
    assert found["validation"] == Counter({0: 180, 1: 18, 2: 2})


def test_a_class_of_one_row_is_there_to_be_learned() -> None:
    for place in range(20):
        labels = np.zeros(20, np.int32)
        labels[place] = 1
        assert place in parted(fair_rows(20), labels, {"test": 10, "validation": 5})["train"]


def test_numbers_are_spread_evenly_over_the_splits(tmp_path: Path) -> None:
    source = table(tmp_path, ["a,y", *(f"1,{number / 2}" for number in range(200))])
    means = {split: np.mean([one.label for one in rows]) for split, rows in rows_of(source).items()}
    assert isinstance(source.info().output, Number)
    assert max(means.values()) - min(means.values()) < 2


def test_no_group_is_in_two_splits(tmp_path: Path) -> None:
    lines = [f"{number},p{number % 30},{number % 2}" for number in range(600)]
    found = rows_of(table(tmp_path, ["a,patient,y", *lines], group_by="patient"))
    patients = {split: {int(one.input.split(b'"')[3]) % 30 for one in rows} for split, rows in found.items()}
    assert sum(map(len, patients.values())) == len(set.union(*patients.values())) == 30
    assert all(len(found[split]) == 120 for split in ("validation", "test"))
    assert b"patient" not in found["train"][0].input


def test_a_column_says_which_split_a_row_is_of_and_what_it_does_not_say_is_taken_from_training(tmp_path: Path) -> None:
    lines = [
        f"{number},{'Training' if number % 4 else 'test'},{'ab'[number % 2 or number % 3 // 2]}"
        for number in range(400)
    ]
    source = table(tmp_path, ["a,part,y", *lines, "7,,a"], split_by="part")
    assert source.info().splits == {"train": 240, "test": 100, "validation": 60}
    assert source.info().notes == ("1 row without a value of part is left out",)


def test_files_called_as_splits_are_splits_whatever_the_order_of_their_columns(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,y\n" + "1,u\n2,v\n" * 20)
    (tmp_path / "dev.csv").write_text("y,a\n" + "u,3\n" * 3)
    (tmp_path / "test.csv").write_text("a,y\n4,u\n5,v\n")
    (tmp_path / "notes.txt").write_text("not rows")
    found = rows_of(open_source(f"csv:{tmp_path}", options={"target": "y"}))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 40, "validation": 3, "test": 2}
    assert {one.input for one in found["validation"]} == {b'{"a":"3"}'}
    (tmp_path / "test.csv").write_text("a,z\n4,u\n")
    with pytest.raises(DataError, match=r"train\.csv and test\.csv differ in their columns: y, z not in both"):
        open_source(f"csv:{tmp_path}", options={"target": "y"})


def test_rows_are_found_by_number_also_where_only_the_places_of_some_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MOST_PLACES", 8)
    lines = ["a,y", *(f'"{number}\n{number}",{number % 3}' for number in range(100))]
    found = rows_of(table(tmp_path, lines))
    assert sorted(one.label for rows in found.values() for one in rows) == sorted(number % 3 for number in range(100))
    for one in (one for rows in found.values() for one in rows):
        number = int(one.name.rpartition(" ")[2]) - 1
        assert (one.input, one.label) == (f'{{"a":"{number}\\n{number}"}}'.encode(), number % 3)


def test_the_order_of_many_rows_keeps_neighbours_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mu2net_core.data.rows.shares._ORDERED_ALONE", 16)
    assert sorted(fair_rows(50)) == list(range(50))
    rows = fair_rows(64)
    assert sorted(rows) == list(range(64))
    assert all(np.diff(block).tolist() == [1, 1, 1] for block in np.split(rows.astype(int), 16))
    assert list(rows) != list(range(64))


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda day: f"2024-{1 + day // 28:02}-{1 + day % 28:02}", "validation has 20 rows from 2024-03-05 on"),
        (lambda day: f"{1 + day % 28}.{1 + day // 28}.2024", "test has 20 rows from 2024-03-25 on"),
        (lambda day: f"2024-01-01T00:{day // 60:02}:{day % 60:02}", "test has 20 rows from 2024-01-01 00:01:20 on"),
        (lambda day: str(1000 + day), "test has 20 rows from 1080 on"),
    ],
)
def test_the_newest_rows_test_and_those_before_validate(tmp_path: Path, write, told: str) -> None:
    lines = [f"{day},{write(day)},{day % 2}" for day in (37 * number % 100 for number in range(100))]
    source = table(tmp_path, ["a,when,y", *lines], time_by="when")
    days = {split: sorted(int(one.input.split(b'"')[3]) for one in rows) for split, rows in rows_of(source).items()}
    assert days == {"train": [*range(60)], "validation": [*range(60, 80)], "test": [*range(80, 100)]}
    assert rows_of(source)["train"][0].input.count(b":") == 1  # nothing but a goes in
    assert told in source.info().notes[0]


def test_rows_of_one_time_stay_together_and_those_without_train(tmp_path: Path) -> None:
    lines = [f"{number},{2000 + number // 25},{number % 2}" for number in range(100)] + ["7,,1"]
    source = table(tmp_path, ["a,year,y", *lines], time_by="year")
    assert source.info().splits == {"train": 51, "validation": 25, "test": 25}
    assert "1 row without a value of year is trained" in source.info().notes


def test_time_splits_only_what_no_column_or_file_splits(tmp_path: Path) -> None:
    lines = [f"{number},{number},{'test' if number < 20 else 'train'},{number % 2}" for number in range(100)]
    source = table(tmp_path, ["a,when,part,y", *lines], time_by="when", split_by="part")
    whens = {split: [int(one.input.split(b'"')[3]) for one in rows] for split, rows in rows_of(source).items()}
    assert (max(whens["test"]), min(whens["validation"]), max(whens["train"])) == (19, 84, 83)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2024-01-01"] * 40, "too few different values to split by"),
        (["2024-01-01", "soon"] * 20, "found 'soon'"),
        ([f"2024-01-{day % 28 + 1:02}" for day in range(1_200)] + ["3.1.2024"], "found '3.1.2024'"),
    ],
)
def test_times_that_do_not_order_rows_are_refused(tmp_path: Path, times: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        table(tmp_path, ["a,when,y", *(f"{n},{when},{n % 2}" for n, when in enumerate(times))], time_by="when")


def test_how_groups_were_shared_out_is_told(tmp_path: Path) -> None:
    lines = [f"{number},p{number % 30},{number % 2}" for number in range(600)]
    notes = table(tmp_path, ["a,patient,y", *lines], group_by="patient").info().notes
    assert notes == ("rows of one value of patient stay together: 18 train, 6 validation, 6 test",)
    with pytest.raises(InvalidInputError, match="not both"):
        table(tmp_path, ["a,patient,y", *lines], group_by="patient", time_by="a")
