from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mu2net_core.data import Examples, Resident
from mu2net_core.engine.evaluate import Tally, answers, measure, numbers, probabilities, tallied
from mu2net_core.engine.loaded import LoadedModel, precision_of
from mu2net_core.engine.programs import EVALUATION_BATCH
from mu2net_core.errors import CorruptObjectError, NewerError
from mu2net_core.objectives import Classify, Multilabel, Regress
from mu2net_core.objects import LIMITS, Component, Model
from mu2net_core.testing.building.workbench import Workbench, coloured_images

CLASSIFY = Classify()


@pytest.fixture(scope="module")
def trained(bench: Workbench, plan_of):
    """Returns a model trained on the bench, and the same loaded."""
    from mu2net_core.engine.generation import train_generation
    from mu2net_core.search import Population
    from mu2net_core.testing.building.systems import SystemBuilder

    root = bench.root()
    system = SystemBuilder().root(root).task("a").build()
    plans = (plan_of(root, clones=("block_0",)),)
    (result,) = train_generation(bench.workshop(), plans, Population(task="a"), system, seed=1)
    assert result.member is not None
    model = result.member.model
    return model, loaded(bench, model)


def loaded(bench: Workbench, model: Model) -> LoadedModel:
    return LoadedModel.of(
        model, num_outputs=3, programs=bench.programs, limits=LIMITS, load=bench.components.__getitem__
    )


def test_a_stored_model_is_exactly_as_good_as_it_was_when_trained(bench: Workbench, trained) -> None:
    model, used = trained
    assert measure(used, CLASSIFY, bench.data().load("validation", 2)).quality == model.quality


@pytest.mark.parametrize("count", [1, EVALUATION_BATCH + 1])
def test_a_tally_counts_labels_and_what_the_model_says(trained, count: int) -> None:
    examples = coloured_images(count, 3, seed=8)
    said = probabilities(trained[1], CLASSIFY, examples.inputs).argmax(axis=1)
    found = measure(trained[1], CLASSIFY, Resident(examples))
    assert found.tally == Tally(
        hits=tuple(np.bincount(said[said == examples.labels], minlength=3).tolist()),
        truth=tuple(np.bincount(examples.labels, minlength=3).tolist()),
        said=tuple(np.bincount(said, minlength=3).tolist()),
    )
    assert found.quality == found.tally.right / count


def test_other_outputs_than_classes_are_measured_too_and_have_no_tally(trained) -> None:
    examples = coloured_images(EVALUATION_BATCH + 1, 3, seed=8)
    feed = Resident(Examples(inputs=examples.inputs, labels=2 - examples.labels))  # low for the class of output 0
    outputs = np.concatenate([np.asarray(made)[: len(part), 0] for part, made in trained[1].over(feed)])
    deviation, mean = np.polyfit(outputs, 2 - examples.labels, 1)
    found = measure(trained[1], Regress(mean=float(mean), deviation=float(deviation)), feed)
    assert found.quality == pytest.approx(np.corrcoef(outputs, examples.labels)[0, 1] ** 2, rel=1e-5)
    assert found.quality > 0.1
    assert found.tally is None


def test_of_a_limited_measurement_the_first_examples_count_and_who_sees_it_sees_these(trained) -> None:
    count, limit, seen = EVALUATION_BATCH + 9, EVALUATION_BATCH + 3, list[tuple[np.ndarray, np.ndarray]]()
    examples = coloured_images(count, 3, seed=8)
    found = measure(trained[1], CLASSIFY, Resident(examples), limit=limit, see=lambda *what: seen.append(what))
    outputs, labels = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    np.testing.assert_array_equal(labels, examples.labels[:limit])
    said = probabilities(trained[1], CLASSIFY, examples.inputs[:limit]).argmax(axis=1)
    np.testing.assert_array_equal(outputs.argmax(axis=1), said)
    assert found.quality == np.mean(said == labels) != measure(trained[1], CLASSIFY, Resident(examples)).quality


@pytest.mark.parametrize("count", [1, EVALUATION_BATCH + 3])
def test_answers_are_those_of_every_example_in_order(trained, count: int) -> None:
    examples, seen = coloured_images(count, 3, seed=8), list[tuple[np.ndarray, np.ndarray]]()
    chances = probabilities(trained[1], CLASSIFY, examples.inputs)
    measured = measure(trained[1], CLASSIFY, Resident(examples))
    found = answers(trained[1], CLASSIFY, Resident(examples), see=lambda *what: seen.append(what))
    np.testing.assert_array_equal(found.labels, examples.labels)
    np.testing.assert_array_equal(found.said, chances.argmax(axis=1))
    np.testing.assert_array_equal(found.probability, chances.max(axis=1))
    assert (found.quality, found.tally(3)) == (measured.quality, measured.tally)
    outputs, labels = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    np.testing.assert_array_equal(labels, examples.labels)
    np.testing.assert_array_equal(outputs.argmax(axis=1), found.said)
    np.testing.assert_array_equal(answers(trained[1], CLASSIFY, Resident(examples)).said, found.said)


def test_numbers_are_in_the_units_of_the_task(trained) -> None:
    images = coloured_images(EVALUATION_BATCH + 3, 3, seed=8).inputs
    outputs = [np.asarray(made)[: len(part), 0] for part, made in trained[1].over_inputs(images)]
    found = numbers(trained[1], Regress(mean=100.0, deviation=2.0), images)
    np.testing.assert_allclose(found, 100 + 2 * np.concatenate(outputs), rtol=1e-6)


def test_every_label_has_a_probability_of_its_own(trained) -> None:
    images = coloured_images(EVALUATION_BATCH + 3, 3, seed=8).inputs
    outputs = np.concatenate([np.asarray(made)[: len(part)] for part, made in trained[1].over_inputs(images)])
    np.testing.assert_allclose(probabilities(trained[1], Multilabel(), images), 1 / (1 + np.exp(-outputs)), rtol=1e-5)


@pytest.mark.parametrize(
    ("hits", "truth", "said", "only", "chance"),
    [
        ((0, 40, 0, 0), (40, 40, 40, 40), (0, 160, 0, 0), 1, True),
        ((8, 30, 5, 5), (40, 40, 40, 40), (40, 80, 20, 20), None, True),
        ((15, 30, 10, 5), (40, 40, 40, 40), (40, 80, 20, 20), None, False),
        ((95, 0), (95, 5), (100, 0), 0, True),
        ((95, 1), (95, 5), (98, 2), None, True),
        ((95, 5), (95, 5), (95, 5), None, False),
        ((5, 0), (5, 0), (5, 0), None, False),
        ((1, 0), (5, 0), (1, 4), None, False),
        ((0, 0), (3, 3), (3, 3), None, True),
    ],
    ids=["one class", "chance", "better", "imbalanced", "hardly better", "all right", "one", "one, bad", "none right"],
)
def test_what_learned_nothing_is_told_from_what_did(hits, truth, said, only: int | None, *, chance: bool) -> None:
    found = Tally(hits=hits, truth=truth, said=said)
    assert (found.only_label, CLASSIFY.is_chance(hits, truth, said, 0.0)) == (only, chance)


@pytest.mark.parametrize("count", [1, EVALUATION_BATCH - 1, EVALUATION_BATCH, EVALUATION_BATCH + 1])
def test_every_example_counts_once_whatever_the_batch(bench: Workbench, trained, count: int) -> None:
    examples = coloured_images(count, 3, seed=8)
    labels = probabilities(trained[1], CLASSIFY, examples.inputs).argmax(axis=1).astype(np.int32)
    for wanted, quality in ((labels, 1.0), ((labels + 1) % 3, 0.0)):
        feed = Resident(Examples(inputs=examples.inputs, labels=wanted.astype(np.int32)))
        assert measure(trained[1], CLASSIFY, feed).quality == quality


def test_probabilities_do_not_depend_on_the_company_an_image_is_in(trained) -> None:
    images = coloured_images(EVALUATION_BATCH + 3, 3, seed=7).inputs
    together = probabilities(trained[1], CLASSIFY, images)
    assert together.shape == (EVALUATION_BATCH + 3, 3)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)
    for index in (0, 1, EVALUATION_BATCH - 1, EVALUATION_BATCH, EVALUATION_BATCH + 2):
        alone = probabilities(trained[1], CLASSIFY, images[index : index + 1])
        np.testing.assert_array_equal(alone[0], together[index])


def test_a_model_whose_components_are_not_its_layers_is_corrupt_before_any_is_read(bench: Workbench, trained) -> None:
    fewer = replace(trained[0], components=trained[0].components[1:])
    with pytest.raises(CorruptObjectError, match=r"are not the \d layers of its architecture"):
        LoadedModel.of(fewer, num_outputs=3, programs=bench.programs, limits=LIMITS, load=pytest.fail)


def test_a_model_of_a_newer_version_is_not_loaded(bench: Workbench, trained) -> None:
    newer = replace(trained[0], unknown_keys=("components.0.quantised",))
    with pytest.raises(NewerError, match=r"newer mu2net: it has the keys components.0.quantised"):
        LoadedModel.of(newer, num_outputs=3, programs=bench.programs, limits=LIMITS, load=pytest.fail)


def test_a_component_of_other_sizes_is_corrupt(bench: Workbench, trained) -> None:
    wrong = Component(name="norm", config={"kind": "norm", "inputs": 9, "outputs": 9}, params={"scale": np.ones(9)})
    oid, _ = bench.store(wrong)
    refs = tuple(replace(ref, id=oid) if ref.name == "norm" else ref for ref in trained[0].components)
    with pytest.raises(CorruptObjectError, match=r"\(norm\): expected .*4.*, found .*9"):
        loaded(bench, replace(trained[0], components=refs))


def test_a_model_runs_in_the_precision_in_which_it_was_measured(trained) -> None:
    model, _ = trained
    assert precision_of(model) == "float32"
    assert precision_of(replace(model, versions={**model.versions, "precision": "bfloat16"})) == "bfloat16"


@pytest.mark.parametrize("count", [1, 30, EVALUATION_BATCH])
def test_evaluation_counts_every_example_once_and_no_padding(count: int) -> None:
    logits = np.zeros((EVALUATION_BATCH, 3), np.float32)  # no opinion: the first class for everybody, the padding too
    for label, right in ((0, count), (1, 0)):
        found, finite = tallied(CLASSIFY, logits, np.full(count, label, np.int32))
        assert (int(found["right"]), int(found["count"]), bool(finite)) == (right, count, True)
        both, all_finite = tallied(CLASSIFY, np.stack([logits, logits]), np.full(count, label))
        assert (both["right"].tolist(), both["count"].tolist()) == ([right, right], [count, count])
        assert all_finite.tolist() == [True, True]
    logits[count - 1] = np.nan
    assert not bool(tallied(CLASSIFY, logits, np.zeros(count, np.int32))[1])


def test_padding_may_come_to_anything() -> None:
    logits = np.full((EVALUATION_BATCH, 3), np.nan, np.float32)
    logits[:2] = 1.0
    assert bool(tallied(CLASSIFY, logits, np.zeros(2, np.int32))[1])
