"""What predict and eval print of several labels, of numbers, and of rows that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mu2net_core.api.models import evaluate, predict
from mu2net_core.api.models.judging import residuals_of
from mu2net_core.api.models.report import Calibration, Reliability, Report, WorstExample
from mu2net_core.api.models.scores import ClassScore
from mu2net_core.errors import DataError
from mu2net_core.testing.building.tiny import tiny_presets


def said(name: str, **fields):
    default = {"label": "a", "label_index": None, "probability": None, "top": (("a", 0.75),), "remarks": ()}
    return predict.Prediction(name=name, path=Path("-"), **{**default, **fields})


def bad(name: str) -> predict.Unreadable:
    return predict.Unreadable(name=name, path=Path("-"), error=DataError(f"{name} has 1 cells."), what="row")


@pytest.fixture
def asked(run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch):
    """Returns what asks a model that gives some answers."""

    def ask(answers, *options: str):
        monkeypatch.setattr(predict, "predict", lambda *_args, **_kwargs: iter(answers))
        return run("-C", trained_repo, "predict", "digits", "new.csv", *options)

    return ask


def test_a_row_that_cannot_be_used_is_told_with_its_number_and_the_others_are_predicted(asked) -> None:
    answers = [said("new.csv row 1", labels=None), bad("new.csv row 2"), said("new.csv row 3", labels=None)]
    plain = asked(answers)
    assert plain.code == 6
    assert [row[0] for row in plain.rows()] == ["new.csv row 1", "new.csv row 3"]
    assert plain.err.splitlines() == [
        "error: new.csv row 2 has 1 cells.",
        "error: 1 of 3 rows could not be used; the other 2 were.",
    ]
    found = asked(answers, "--json")
    assert found.code == 6
    assert [("error" in one, one["name"]) for one in found.json()] == [
        (False, "new.csv row 1"), (True, "new.csv row 2"), (False, "new.csv row 3")]  # fmt: skip


def test_of_several_labels_those_that_are_said_are_printed_or_as_many_as_are_asked_for(asked) -> None:
    labels, top = (("b", 0.875), ("a", 0.75)), (("b", 0.875), ("a", 0.75), ("c", 0.125))
    some, none = said("one", label="b, a", labels=labels, top=top[:1]), said("two", label="", labels=(), top=top[:1])
    assert asked([some, none]).rows() == [["one", "b", "87.50%"], ["one", "a", "75.00%"], ["two", "-", ""]]
    assert [row[1] for row in asked([said("one", labels=(), top=top)], "--top", "3").rows()] == ["b", "a", "c"]
    (item, _) = asked([some, none], "--json").json()
    assert item["labels"] == [["b", 0.875], ["a", 0.75]]


def test_a_report_is_printed_with_what_there_is_of_each_output(run, trained_repo: Path, monkeypatch) -> None:
    worst = (WorstExample(name="row 7", label="a, b", said="-", loss=4.25),)
    bins = (Reliability(low=0.9, high=1.0, count=8, probability=0.95, right=0.75),)
    scores = ClassScore(label="a", num_examples=4, num_said=2, correct=1, precision=0.5, recall=0.25,
                        average_precision=0.625)  # fmt: skip
    whole = {"task": "t", "model": "f" * 64, "split": "test", "num_examples": 8, "wall_s": 0.1}
    labels = evaluate.EvalResult(
        **whole,
        metric="map",
        quality=0.625,
        by_class=(scores,),
        report=Report(calibration=Calibration(ece=0.2, bins=bins), residuals=None, worst=worst),
    )
    monkeypatch.setattr(evaluate, "evaluate", lambda *_args, **_kwargs: labels)
    out = run("-C", trained_repo, "eval", "digits", "--report").out
    for part in ("map\t62.50%", "a\t4\t2\t1\t50.00%\t25.00%\t62.50%", "are off by 20.00% on average (ECE)",
                 "0.9 to 1.0\t8\t95.00%\t75.00%", "row 7\ta, b\t-\t4.25"):  # fmt: skip
        assert part in out
    found = residuals_of(np.array([1.0, 2.0, 5.0]), np.array([1.0, 3.0, 3.0]))
    numbers = evaluate.EvalResult(
        **whole, metric="r2", quality=0.5, report=Report(calibration=None, residuals=found, worst=worst)
    )
    monkeypatch.setattr(evaluate, "evaluate", lambda *_args, **_kwargs: numbers)
    out = run("-C", trained_repo, "eval", "digits", "--report").out
    assert "Said less true: 0.3333 on average, 1 in absolute value (MAE), 1.291 root mean square" in out
    assert "5.00% are below -0.9" in out
    assert "1 to 1\t1\t0\t0" in out


def test_the_command_line_says_what_several_labels_are_and_what_they_weigh(run, tmp_path: Path) -> None:
    rows = [f"{n % 5},{'a b' if n % 6 == 0 else 'a' if n % 2 else ''}" for n in range(120)]
    (tmp_path / "films.csv").write_text("\n".join(("n,tags", *rows)) + "\n")
    assert run("init", tmp_path / "repo").code == 0
    here = ("-C", tmp_path / "repo")
    with tiny_presets():
        added = run(*here, "add-task", "../films.csv", "--target", "tags", "--output", "labels",
                    "--label-separator", " ", "--class-weights", "balanced")  # fmt: skip
    assert "Added task films (public): 2 labels" in added.out
    shown = run(*here, "show", "films").out
    assert "output:          2 labels: a, b" in shown
    assert "class weights:   a 0.5, b 5" in shown
    assert "metric:          map" in shown
