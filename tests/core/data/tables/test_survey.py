"""Columns of tables: what they are is found, can be said, is pinned; what gives the answer away is told."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.data import Stored, describe_task, load_split, modality_of
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Column, Table

NUM_ROWS = 100
COLUMNS = {
    "age": lambda n: n % 37 + 18,
    "height": lambda n: "" if n % 10 == 0 else n * 0.37,
    "colour": lambda n: ("red", "green", "blue")[n % 3],
    "born": lambda n: date(2000, 1, 1) + timedelta(days=n % 40),
    "id": lambda n: 1000 + n,
    "name": lambda n: f"person {n}",
    "planet": lambda n: "earth",
    "empty": lambda n: "NA",
}


def described(folder: Path, *, target=lambda n: "ab"[n * n % 7 % 2], columns=COLUMNS, **options):
    header = ",".join((*columns, "y"))
    lines = [",".join(str(column(n)) for column in (*columns.values(), target)) for n in range(NUM_ROWS)]
    (folder / "people.csv").write_text("\n".join((header, *lines)) + "\n")
    return describe_task(f"csv:{folder / 'people.csv'}", options={"target": "y", **options})


def columns_of(found) -> dict[str, Column]:
    return {column.name: column for column in found.task.input.columns}


def test_kinds_are_found_and_what_says_nothing_is_left_out_and_told(tmp_path: Path) -> None:
    found = described(tmp_path)
    columns = columns_of(found)
    assert list(columns) == ["age", "height", "colour", "born"]
    assert columns["colour"].values == ("blue", "green", "red")
    assert (columns["age"].knots[0], columns["age"].values, columns["age"].date) == (18.0, None, None)
    assert columns["born"].date == "iso"
    assert found.notes[0] == (
        "left out: id (numbers of rows), name (another value in each row), planet (constant), empty (empty) "
        "(to have one: --kind COLUMN=category, or number)"
    )


def test_what_a_column_is_can_be_said_and_is_kept_with_the_task(tmp_path: Path) -> None:
    kinds = {"age": "category", "id": "number", "colour": "none"}
    found = described(tmp_path, kinds=json.dumps(kinds))
    columns = columns_of(found)
    assert "17" not in (columns["age"].values or ())
    assert "18" in (columns["age"].values or ())
    assert columns["id"].values is None
    assert "colour" not in columns
    assert json.loads(str(found.task.options["kinds"])) == kinds
    with pytest.raises(InvalidInputError, match=r"The column colour has no numbers: there is '[a-z]*'"):
        described(tmp_path, kinds='{"colour": "number"}')
    with pytest.raises(InvalidInputError, match="No column 'size' goes in"):
        described(tmp_path, kinds='{"size": "number"}')


def test_a_column_that_gives_the_answer_away_is_told(tmp_path: Path) -> None:
    leak = {"age": COLUMNS["age"], "paid": lambda n: "yes" if n * n % 7 % 2 else "no"}
    assert any(note.startswith("paid alone tells 100.0 %") for note in described(tmp_path, columns=leak).notes)
    twice = {"age": COLUMNS["age"], "double": lambda n: 2.5 * n}
    notes = described(tmp_path, columns=twice, target=lambda n: n + 0.5).notes
    assert any(note.startswith("double alone tells") for note in notes)
    assert not any("age alone" in note for note in notes)


def test_words_among_numbers_are_told_and_a_table_without_anything_to_learn_from_is_refused(tmp_path: Path) -> None:
    mixed = {"age": lambda n: "old" if n == 3 else n % 37}
    assert "age: old among numbers is read as missing" in described(tmp_path, columns=mixed).notes
    with pytest.raises(DataError, match=r"No column of csv:.* can be learned from: planet \(constant\)"):
        described(tmp_path, columns={"planet": COLUMNS["planet"]})


@pytest.mark.parametrize("odd", ["inf", "-1e308", "1e308"])
def test_numbers_that_cannot_be_counted_with_are_told_and_read_as_empty(tmp_path: Path, odd: str) -> None:
    found = described(tmp_path, columns={"age": lambda n: odd if n in {5, 6} else n % 37})
    assert f"age: {odd} among numbers is read as missing" in found.notes
    assert columns_of(found)["age"].knots[-1] == 36.0
    target = described(tmp_path, columns={"age": COLUMNS["age"]}, target=lambda n: odd if n == 5 else n % 37 + 0.5)
    assert target.task.output.kind == "classes"


def test_a_very_wide_table_is_looked_at_in_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mu2net_core.data.tables.survey._MOST_CELLS", 20)
    survey = modality_of("table").survey({})
    for number in range(50):
        row = {"narrow": number, "wide": -number}
        survey.look(Stored(name=str(number), input=json.dumps(row).encode(), label=number % 2))
    assert survey.input().columns[0].knots[-1] == 9


def test_a_form_of_dates_that_nobody_could_have_meant_makes_cells_empty() -> None:
    for form in ("%d%d", "%d.%m.", "%", "%Y-%Y"):
        given = Table(columns=(Column(name="born", values=None, knots=(0.0, 1.0), date=form),))
        read = modality_of("table").reader(given, (1, 4), {})
        assert read(Stored(name="x", input=b'{"born":"2000-01-01"}', label=0)).tolist() == [[0.0, 0.0, 1.0, 1.0]]


def test_what_is_no_row_is_told() -> None:
    read = modality_of("table").reader(Table(columns=(Column(name="a", values=("b",)),)), (1, 4), {})
    for given in (b"\xff", b"[1]", np.zeros(3)):
        with pytest.raises(DataError, match="x: expected a row"):
            read(Stored(name="x", input=given, label=0))


def test_cells_become_what_the_training_rows_said_of_their_columns() -> None:
    given = Table(
        columns=(
            Column(name="age", values=None, knots=(0.0, 10.0, 10.0, 30.0, 50.0)),
            Column(name="colour", values=("blue", "red")),
            Column(name="born", values=None, knots=(0.0, 100.0), date="%d.%m.%Y"),
        )
    )
    read = modality_of("table").reader(given, (4, 4), {"decimal": ","})

    def cells(**row):
        return read(Stored(name="x", input=json.dumps(row).encode(), label=0)).tolist()

    known = cells(age="10", colour="red", born="11.01.1970")
    assert [cell[1:] for cell in known[:1]] == [[0.375, 0.0, 1.0]]
    assert known[1] == [0.0, 0.0, 6.0, 4.0]
    assert known[2][1] == pytest.approx(0.1)
    assert known[3] == [0.0, 0.0, -1.0, -1.0]
    lost = cells(age="unknown", colour="green")
    assert [cell[2:] for cell in lost] == [[1.0, 1.0], [4.0, 4.0], [7.0, 7.0], [-1.0, -1.0]]
    assert cells(colour=None)[1] == [0.0, 0.0, 3.0, 4.0]
    assert cells(age="1.000,5")[0][1] == 1.0
    assert cells(age=30)[0] == cells(age="30,0")[0]


def test_only_training_rows_say_what_is_known(tmp_path: Path) -> None:
    lines = [
        f"{n},{'new' if n % 5 == 0 else 'old'},{'test' if n % 5 == 0 else 'train'},{'ab'[n % 2]}" for n in range(100)
    ]
    (tmp_path / "data.csv").write_text("\n".join(["n,age,part,y", *lines]) + "\n")
    options = {"target": "y", "split_by": "part", "kinds": '{"age": "category"}'}
    task = describe_task(f"csv:{tmp_path / 'data.csv'}", options=options).task
    assert columns_of_task(task)["age"].values == ("old",)
    unknown = load_split(task, "test", shape=(2, 4)).inputs[:, 0, 2]
    assert np.unique(unknown).tolist() == [unknown[0]]
    assert unknown[0] not in load_split(task, "train", shape=(2, 4)).inputs[:, 0, 2]


def columns_of_task(task) -> dict[str, Column]:
    return {column.name: column for column in task.input.columns}
