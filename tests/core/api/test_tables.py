"""Tasks of tables from files of rows: added, evolved, measured, asked, and the same in a clone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor, Unreadable, predict
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Classes, Number
from mu2net_core.repo import open_repository
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.tiny import tiny_presets

ONE = EvolveOptions(generations=1, children=1, validations=1, seed=1)
LINES = [f"{n % 50},{('red', 'blue')[n // 3 % 2]},{'old' if n % 50 > 25 else 'young'},{n % 50 / 4}" for n in range(200)]


@pytest.fixture
def here(world):
    """Returns a world with a table of ages, and what they mean as classes and as numbers."""
    found = world()
    (found.folder / "people.csv").write_text("\n".join(("age,colour,group,years", *LINES)) + "\n")
    init(Path("repo"), found.context)
    with tiny_presets(), quick_compiler():
        yield found


def test_tables_are_learned_measured_and_asked_and_a_clone_says_the_same_to_the_last_bit(here) -> None:
    repo, told = open_repository(here.folder / "repo"), list[str]()
    context = replace(here.context, warn=told.append)
    head = add_task(
        repo, context, "people.csv", TaskOptions(name="groups", target="group", leave_out=("years",), metric="macro-f1")
    )
    assert (head.task.source, head.task.preset, head.task.metric) == ("csv:people.csv", "table-8", "macro-f1")
    assert head.task.output == Classes(names=("old", "young"))
    assert [column.name for column in head.task.input.columns] == ["age", "colour"]
    add_task(repo, context, "people.csv", TaskOptions(name="years", target="years", columns=("age", "colour")))
    evolve(repo, here.context, ["groups", "years"], ONE)
    measured = evaluate(repo, here.context, "groups", wrong=True)
    assert (measured.metric, measured.correct is None) == ("macro-f1", False)
    assert evaluate(repo, here.context, "years").metric == "r2"

    remote.add(repo, here.context, "origin", "shared")
    push(repo, here.context)
    clone("shared", "other", here.context)
    other = open_repository(here.folder / "other")
    asked = [{"age": 3, "colour": "red"}, {"age": "49", "colour": "green"}, {"age": None}]
    for task in ("groups", "years"):
        said = [Predictor(one, here.context, task).probabilities(asked) for one in (repo, other)]
        np.testing.assert_array_equal(*said)

    numbers = Predictor(other, here.context, "years")
    np.testing.assert_array_equal(numbers.predict(asked), numbers.probabilities(asked))

    plain, given = {"age": 3, "colour": '["red"]'}, {"age": np.int64(3), "colour": ["red"]}
    said = Predictor(other, here.context, "groups").probabilities(
        [plain, given, {"age": None, "colour": "red"}, {"age": float("nan"), "colour": " red "}]
    )
    np.testing.assert_array_equal(said[::2], said[1::2], "as the lines of a file are read")

    (here.folder / "new.csv").write_text("colour,age\nred,3\nblue,\n")
    found = list(
        predict(other, here.context, "groups", ["new.csv", '{"age": 3, "colour": "red"}', b'{"age": 1}\n{"age": 2}'])
    )
    assert [one.name for one in found] == [
        "new.csv row 1", "new.csv row 2", '{"age": 3, "colour": "red"}', '{"age": 1}', '{"age": 2}',
    ]  # fmt: skip
    assert (found[0].label, found[0].probability) == (found[2].label, found[2].probability)
    told = list[str]()
    (Path(here.folder) / "short.csv").write_text("colour\nred\nblue\n")
    assert len(list(predict(other, replace(here.context, warn=told.append), "groups", "short.csv"))) == 2
    assert told == ["short.csv has no column age: empty in every row"]
    (number,) = predict(other, here.context, "years", asked[0])
    assert isinstance(head.task.output, Classes)
    assert (number.label, number.label_index, number.top) == (f"{number.value:.6g}", None, ())

    (here.folder / "spoiled.csv").write_text("colour,age\nred,3\nblue\nred,4\n")
    given = ["spoiled.csv", {"size": 3}, "scan.png", b'{"age": 1}\nno JSON\n', {"age": 2}]
    found = list(predict(other, here.context, "groups", given))
    bad = {place: one for place, one in enumerate(found) if isinstance(one, Unreadable)}
    assert [place for place in range(len(found)) if place not in bad] == [0, 2, 5, 7], "each is told in its place"
    told = [(one.name, one.error.message) for one in bad.values()]
    assert told[0] == ("spoiled.csv row 2", "spoiled.csv row 2 has 1 cells instead of 2.")
    assert "has none of the columns of groups: age, colour" in told[1][1]
    assert told[2] == ("scan.png", "Not rows: 'scan.png'.")
    assert told[3][0] == "line 2"
    with pytest.raises(DataError, match="has none of the columns"):
        numbers.probabilities([{"size": 3}])


def test_what_is_said_of_rows_must_fit_the_data(here) -> None:
    repo = open_repository(here.folder / "repo")
    with pytest.raises(
        DataError, match=r"Which column of .* is to be learned\? It has age, colour, group, years"
    ) as caught:
        add_task(repo, here.context, "people.csv")
    assert caught.value.hint == "Name it: --target years"
    with pytest.raises(InvalidInputError, match="--target: for rows"):
        add_task(repo, here.context, "sklearn:digits", TaskOptions(target="y"))
    with pytest.raises(InvalidInputError, match=r"No metric 'r2' of classes; there are accuracy, auroc"):
        add_task(repo, here.context, "people.csv", TaskOptions(target="group", metric="r2"))
    kinds = dict.fromkeys(("age", "years"), "category")
    with pytest.raises(InvalidInputError, match="table-8 has room for 8 columns with 64 values; the table has 3 with"):
        add_task(repo, here.context, "people.csv", TaskOptions(target="colour", kinds=kinds, preset="table-8"))
    head = add_task(repo, here.context, "people.csv", TaskOptions(target="age", output="number"))
    assert (type(head.task.output), head.task.preset) == (Number, "curves-8")
