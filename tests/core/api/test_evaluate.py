from __future__ import annotations

import numpy as np
import pytest

from mu2net_core.api.machine.runtime import split_at
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor
from mu2net_core.engine import Answers
from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.nn import InputSpec
from mu2net_core.objectives import BalancedAccuracy
from mu2net_core.objects import object_key
from mu2net_core.repo import load_system
from mu2net_core.testing.building.samples import evolve_sample


@pytest.mark.parametrize(("split", "num_examples"), [("train", 1077), ("validation", 360), ("test", 360)])
def test_every_split_is_measured_on_all_its_examples(grown, split: str, num_examples: int) -> None:
    repo = grown.open()
    head = load_system(repo).heads["digits"]
    result = evaluate(repo, grown.context, "digits", split=split)
    assert (result.task, result.model, result.split) == ("digits", head.model_id, split)
    assert abs(result.num_examples - num_examples) <= 2
    assert result.num_examples == head.task.splits[split].num_examples
    assert result.accuracy == result.correct / result.num_examples


def test_a_task_its_commit_and_its_model_are_the_same(grown) -> None:
    repo = grown.open()
    head = load_system(repo).heads["digits"]
    found = {evaluate(repo, grown.context, name).correct for name in ("digits", head.commit_id[:12], head.model_id)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("revision", "split", "error", "complaint"),
    [
        ("digits", "dev", InvalidInputError, "No split 'dev': expected one of train, validation, test"),
        ("digit", "test", NotFoundError, "digit"),
        ("digits~1", "test", NotFoundError, "had no model yet"),
        ("ROOT", "test", InvalidInputError, "is a root model: it solves no task"),
    ],
)
def test_what_cannot_be_measured(grown, revision: str, split: str, error, complaint: str) -> None:
    repo = grown.open()
    name = repo.refs.roots()["default"] if revision == "ROOT" else revision
    with pytest.raises(error, match=complaint):
        evaluate(repo, grown.context, name, split=split)


def test_a_flipped_bit_in_a_component_is_found_not_computed_with(grown) -> None:
    repo = grown.open()
    head = load_system(repo).heads["digits"]
    file = repo.store.local_path(object_key("component", head.model.component("head").id))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(bytes(data))
    with pytest.raises(CorruptObjectError, match="fsck"):
        evaluate(grown.open(), grown.context, "digits")


def test_a_component_that_does_not_fit_its_model_is_found(grown) -> None:
    # A sample's head has other sizes than the model's architecture asks for.
    repo = grown.open()
    evolve_sample(repo, "digits", score=1.0)
    with pytest.raises(CorruptObjectError, match=r"\(head\): expected .*classes.*, found"):
        evaluate(repo, grown.context, "digits")


def test_every_wrong_example_is_named_with_what_it_is_taken_for(grown) -> None:
    repo = grown.open()
    result = evaluate(repo, grown.context, "digits", by_class=True, wrong=True)
    task = load_system(repo).heads["digits"].task
    (examples,) = split_at(repo, grown.context, task, "test", InputSpec.image(8)).in_order(chunk=1000)
    chances = Predictor(repo, grown.context, "digits").probabilities(examples.inputs[..., :1])
    (part,) = task.splits["test"].slices
    expected = {
        f"all[{part.start + number}]": (str(label), str(row.argmax()), float(row.max()))
        for number, (label, row) in enumerate(zip(examples.labels, chances, strict=True))
        if row.argmax() != label
    }
    assert result.wrong is not None
    assert {one.name: (one.label, one.said, one.probability) for one in result.wrong} == expected
    assert [one.probability for one in result.wrong] == sorted((one.probability for one in result.wrong), reverse=True)
    assert sum(one.correct for one in result.by_class or ()) == result.correct
    assert sum(one.count for one in result.confused or ()) == len(expected) == result.num_examples - result.correct
    low, high = result.interval
    assert low < result.accuracy < high


def test_details_are_measured_only_if_they_are_asked_for(grown) -> None:
    result = evaluate(grown.open(), grown.context, "digits")
    assert (result.by_class, result.confused, result.wrong) == (None, None, None)


@pytest.mark.parametrize(
    ("right", "at_chance"), [(40, True), (47, True), (48, False), (80, False)], ids=["chance", "luck", "more", "all"]
)
def test_a_model_that_says_no_more_than_the_most_frequent_class_does_is_told_so(
    grown, monkeypatch: pytest.MonkeyPatch, right: int, *, at_chance: bool
) -> None:
    labels = np.repeat(np.int32([3, 4, 5]), [40, 30, 10])
    said = np.where(np.arange(80) < right, labels, 9)
    found = Answers(labels=labels, said=said, probability=np.ones(80, np.float32), quality=right / 80)
    monkeypatch.setattr("mu2net_core.api.models.evaluate.answers", lambda *_args, **_kwargs: found)
    result = evaluate(grown.open(), grown.context, "digits")
    assert (result.most_frequent, result.at_chance) == (0.5, at_chance)


def test_whether_a_model_is_at_chance_goes_by_the_tasks_metric(grown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a rare class is found, and more than as many of the other are taken for it."""
    labels = np.repeat(np.int32([3, 4]), [90, 10])
    said = np.where(np.arange(100) < 75, 3, 4)
    said[95:] = 3
    found = Answers(labels=labels, said=said, probability=np.ones(100, np.float32), quality=0.67)
    monkeypatch.setattr("mu2net_core.api.models.evaluate.answers", lambda *_args, **_kwargs: found)
    repo = grown.open()
    assert evaluate(repo, grown.context, "digits").at_chance
    monkeypatch.setattr("mu2net_core.api.models.loading.check_usable", lambda *_: BalancedAccuracy(num_classes=10))
    assert not evaluate(repo, grown.context, "digits").at_chance
