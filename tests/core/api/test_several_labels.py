"""Tasks of several labels: from rows in every form to a model that is measured, reported on and asked; weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor, predict
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Labels
from mu2net_core.repo import open_repository
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.tiny import tiny_presets

TAGS = [[name for name, size in (("even", 2), ("third", 3), ("rare", 40)) if n % size == 0] for n in range(240)]


@pytest.fixture
def here(world):
    """Returns a world with rows that have several labels each."""
    found = world()
    rows = [json.dumps({"a": n % 2, "b": n % 3, "labels": tags}) for n, tags in enumerate(TAGS)]
    (found.folder / "tags.jsonl").write_text("\n".join(rows) + "\n")
    init(Path("repo"), found.context)
    with tiny_presets(), quick_compiler():
        yield found


def test_several_labels_are_learned_measured_reported_on_and_asked(here) -> None:
    repo, told = open_repository(here.folder / "repo"), list[str]()
    context = replace(here.context, warn=told.append)
    head = add_task(repo, context, "tags.jsonl", TaskOptions(class_weights="balanced"))
    assert head.task.output == Labels(names=("even", "rare", "third"))
    assert head.task.metric == "map"
    assert head.task.class_weights == (1.0, 35.0, 2.0)
    evolve(repo, here.context, ["tags"], EvolveOptions(generations=1, children=1, validations=2, seed=1))

    result = evaluate(repo, here.context, "tags", report=True)
    assert 0 < result.quality <= 1
    assert [(one.label, one.num_examples) for one in result.by_class] == [("even", 24), ("rare", 1), ("third", 16)]
    np.testing.assert_allclose(np.mean([one.average_precision for one in result.by_class]), result.quality)
    assert (result.confused, result.correct, result.report.residuals) == (None, None, None)
    assert sum(one.count for one in result.report.calibration.bins) == 3 * result.num_examples
    assert len(result.report.worst) == 20

    (said,) = predict(repo, here.context, "tags", {"a": 0, "b": 0}, top=3, threshold=0)
    assert [label for label, _ in said.labels] == [label for label, _ in said.top] == said.label.split(", ")
    (none,) = predict(repo, here.context, "tags", {"a": 0, "b": 0}, threshold=1)
    assert (none.labels, none.label, none.label_index, none.probability) == ((), "", None, None)
    with pytest.raises(InvalidInputError, match="threshold: expected a probability"):
        predict(repo, here.context, "tags", {"a": 0}, threshold=2)
    with pytest.raises(InvalidInputError, match="Only of classes can be told which are wrong"):
        evaluate(repo, here.context, "tags", wrong=True)

    asked = [{"a": 0, "b": 1}, {"a": 1, "b": 0}]
    model = Predictor(repo, here.context, "tags")
    np.testing.assert_array_equal(model.predict(asked, threshold=0.3), model.probabilities(asked) >= 0.3)


def test_weights_are_for_classes_and_labels_and_have_a_name(here) -> None:
    repo = open_repository(here.folder / "repo")
    with pytest.raises(InvalidInputError, match="No such weights of classes: 'even'"):
        add_task(repo, here.context, "tags.jsonl", TaskOptions(class_weights="even"))
    (here.folder / "numbers.csv").write_text("a,y\n" + "".join(f"{n},{n / 7}\n" for n in range(50)))
    with pytest.raises(InvalidInputError, match="Weights are for classes and labels; number comes out here"):
        add_task(repo, here.context, "numbers.csv", TaskOptions(target="y", class_weights="balanced"))
