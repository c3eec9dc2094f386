"""Whether a model is no better than always saying one class, by each metric of classes."""

from __future__ import annotations

import numpy as np
import pytest

from mu2net_core.objectives import Auroc, BalancedAccuracy, Classify, MacroF1

METRICS = [Classify(), BalancedAccuracy(num_classes=3), MacroF1(num_classes=3), Auroc(num_classes=3)]


def is_chance(objective: Classify, outputs: np.ndarray, labels: np.ndarray) -> bool:
    said, size = objective.said(outputs), outputs.shape[-1]
    hits, truth, spoken = (
        np.bincount(each, minlength=size).tolist() for each in (labels[said == labels], labels, said)
    )
    return objective.is_chance(hits, truth, spoken, float(objective.quality(objective.tally(outputs, labels))))


@pytest.mark.parametrize("objective", METRICS, ids=lambda one: type(one).__name__)
def test_of_models_that_know_nothing_few_seem_to_by_any_metric(objective: Classify) -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [150, 30, 20])
    found = [
        is_chance(objective, rng.normal(size=(200, 3)) + np.array([0.5, bias, -0.5]), labels)
        for bias in np.linspace(-2, 2, 200)
    ]
    assert 0.9 <= np.mean(found) <= 1


@pytest.mark.parametrize("objective", METRICS, ids=lambda one: type(one).__name__)
def test_who_finds_the_rare_classes_is_at_chance_by_accuracy_alone(objective: Classify) -> None:
    """It says them too often: wrong of more examples than who always says the most frequent class."""
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1, 2], [150, 30, 20])
    outputs = rng.normal(size=(200, 3)) + 2 * np.eye(3)[labels] + np.array([-2, 1, 1])
    assert is_chance(objective, outputs, labels) == (type(objective) is Classify)


def test_who_orders_examples_well_is_not_at_chance_though_it_says_one_class() -> None:
    labels = np.repeat([0, 1], [95, 5])
    outputs = np.stack([np.full(100, 3.0), np.linspace(0, 1, 100)], axis=-1)
    found = {type(one).__name__: is_chance(one, outputs, labels) for one in (Auroc(), BalancedAccuracy(), MacroF1())}
    assert found == {"Auroc": False, "BalancedAccuracy": True, "MacroF1": True}


@pytest.mark.parametrize("objective", METRICS, ids=lambda one: type(one).__name__)
def test_where_all_examples_are_of_one_class_nothing_tells(objective: Classify) -> None:
    assert not is_chance(objective, np.zeros((5, 3)), np.zeros(5, np.int64))
