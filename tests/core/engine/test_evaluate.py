from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mu2net_core.data import Examples, Resident
from mu2net_core.engine.evaluate import Tally, count_correct, load_row, probabilities, tally
from mu2net_core.engine.fitting import model_specs
from mu2net_core.engine.programs import EVALUATION_BATCH
from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Component
from mu2net_core.testing.workbench import Workbench, coloured_images


@pytest.fixture(scope="module")
def trained(bench: Workbench, plan_of):
    """Returns a model trained on the bench, its layers and its parameters."""
    from mu2net_core.engine.generation import train_generation
    from mu2net_core.search import Population
    from mu2net_core.testing.systems import SystemBuilder

    root = bench.root()
    system = SystemBuilder().root(root).task("a").build()
    plans = (plan_of(root, clones=("block_0",)),)
    (result,) = train_generation(bench.workshop(), plans, Population(task="a"), system, seed=1)
    assert result.member is not None
    model = result.member.model
    specs = model_specs(model, bench.programs.family, 3)
    return model, specs, load_row(model, specs, bench.components.__getitem__, bench.programs.family)


def test_a_stored_model_is_exactly_as_good_as_it_was_when_trained(bench: Workbench, trained) -> None:
    model, specs, row = trained
    correct = count_correct(bench.programs, specs, row, bench.data().load("validation", 2))
    assert correct == round(30 * model.quality)
    assert correct / 30 == model.quality


@pytest.mark.parametrize("count", [1, EVALUATION_BATCH + 1])
def test_a_tally_counts_labels_and_what_the_model_says(bench: Workbench, trained, count: int) -> None:
    _, specs, row = trained
    examples = coloured_images(count, 3, seed=8)
    said = probabilities(bench.programs, specs, row, examples.images).argmax(axis=1)
    found = tally(bench.programs, specs, row, Resident(examples))
    assert found == Tally(
        right=int(np.sum(said == examples.labels)),
        truth=tuple(np.bincount(examples.labels, minlength=3).tolist()),
        said=tuple(np.bincount(said, minlength=3).tolist()),
    )
    assert found.accuracy == count_correct(bench.programs, specs, row, Resident(examples)) / count


@pytest.mark.parametrize(
    ("right", "truth", "said", "only", "chance"),
    [
        (40, (40, 40, 40, 40), (0, 160, 0, 0), 1, True),
        (48, (40, 40, 40, 40), (40, 80, 20, 20), None, True),
        (60, (40, 40, 40, 40), (40, 80, 20, 20), None, False),
        (95, (95, 5), (100, 0), 0, True),
        (96, (95, 5), (98, 2), None, True),
        (100, (95, 5), (95, 5), None, False),
        (5, (5, 0), (5, 0), None, False),
        (1, (5, 0), (1, 4), None, False),
        (0, (3, 3), (3, 3), None, True),
    ],
    ids=["one class", "chance", "better", "imbalanced", "hardly better", "all right", "one", "one, bad", "none right"],
)
def test_what_learned_nothing_is_told_from_what_did(right: int, truth, said, only: int | None, *, chance: bool) -> None:
    found = Tally(right=right, truth=truth, said=said)
    assert (found.only_label, found.is_chance) == (only, chance)


@pytest.mark.parametrize("count", [1, EVALUATION_BATCH - 1, EVALUATION_BATCH, EVALUATION_BATCH + 1])
def test_every_example_counts_once_whatever_the_batch(bench: Workbench, trained, count: int) -> None:
    _, specs, row = trained
    examples = coloured_images(count, 3, seed=8)
    labels = probabilities(bench.programs, specs, row, examples.images).argmax(axis=1).astype(np.int32)
    for wanted, right in ((labels, count), ((labels + 1) % 3, 0)):
        feed = Resident(Examples(images=examples.images, labels=wanted.astype(np.int32)))
        assert count_correct(bench.programs, specs, row, feed) == right


def test_probabilities_do_not_depend_on_the_company_an_image_is_in(bench: Workbench, trained) -> None:
    _, specs, row = trained
    images = coloured_images(EVALUATION_BATCH + 3, 3, seed=7).images
    together = probabilities(bench.programs, specs, row, images)
    assert together.shape == (EVALUATION_BATCH + 3, 3)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)
    for index in (0, 1, EVALUATION_BATCH - 1, EVALUATION_BATCH, EVALUATION_BATCH + 2):
        alone = probabilities(bench.programs, specs, row, images[index : index + 1])
        np.testing.assert_array_equal(alone[0], together[index])


def test_a_model_whose_components_are_not_its_layers_is_corrupt(bench: Workbench, trained) -> None:
    model, _, _ = trained
    fewer = replace(model, components=model.components[1:])
    with pytest.raises(CorruptObjectError, match=r"are not the \d layers of its architecture"):
        model_specs(fewer, bench.programs.family, 3)


def test_a_component_of_other_sizes_is_corrupt(bench: Workbench, trained) -> None:
    model, specs, _ = trained
    wrong = Component(name="norm", config={"kind": "norm", "inputs": 9, "outputs": 9}, params={"scale": np.ones(9)})
    oid, _ = bench.store(wrong)
    refs = tuple(replace(ref, id=oid) if ref.name == "norm" else ref for ref in model.components)
    with pytest.raises(CorruptObjectError, match=r"\(norm\): expected .*4.*, found .*9"):
        load_row(replace(model, components=refs), specs, bench.components.__getitem__, bench.programs.family)
