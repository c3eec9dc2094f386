"""What a report is made of, batch by batch, against the same from all examples at once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss

from mu2net_core.api.models.judging import judge_of, residuals_of
from mu2net_core.objectives import Classify, MeanAveragePrecision, Regress

RNG = np.random.default_rng(3)
N, C = 300, 3
LOGITS = RNG.normal(size=(N, C)).astype(np.float32) * 2
CLASSES = RNG.integers(0, C, N).astype(np.int32)
SEVERAL = (RNG.random((N, C)) < 0.4).astype(np.uint8)


def judged(objective, outputs, labels, names=("a", "b", "c")):
    judge = judge_of(objective, names)
    for part in np.split(np.arange(len(labels)), [7, 7, 100]):
        judge.add(outputs[part], labels[part])
    return judge


def expected_error(chances, right) -> float:
    places = np.minimum((chances * 10).astype(int), 9)
    return sum(abs(chances[places == place].sum() - right[places == place].sum()) for place in range(10)) / len(chances)


def test_of_classes_calibration_is_of_the_likeliest_and_the_worst_have_the_largest_loss() -> None:
    judge = judged(Classify(), LOGITS, CLASSES)
    chances = np.exp(LOGITS.astype(float)) / np.exp(LOGITS.astype(float)).sum(axis=1, keepdims=True)
    right = chances.argmax(axis=1) == CLASSES
    np.testing.assert_allclose(judge.calibration.ece, expected_error(chances.max(axis=1), right), rtol=1e-9)
    assert sum(one.count for one in judge.calibration.bins) == N
    assert all(one.low <= one.probability <= one.high for one in judge.calibration.bins)
    losses = -np.log(chances[np.arange(N), CLASSES])
    (place, loss), *_ = judge.worst(5)
    assert (place, round(loss, 9)) == (losses.argmax(), round(losses.max(), 9))
    assert judge.text(place) == ("abc"[CLASSES[place]], "abc"[chances[place].argmax()])
    np.testing.assert_allclose(np.mean([loss for _, loss in judge.worst(N)]), log_loss(CLASSES, chances), rtol=1e-6)
    assert sum(one.count for one in judge.confused) == N - right.sum()
    assert judge.residuals is None


def test_of_several_labels_each_is_scored_by_itself() -> None:
    judge = judged(MeanAveragePrecision(num_labels=C), LOGITS, SEVERAL * np.array([1, 1, 0], np.uint8))
    first, _, never = judge.by_class
    expected = average_precision_score(SEVERAL[:, 0], LOGITS[:, 0])
    np.testing.assert_allclose(first.average_precision, expected, atol=1e-2)
    assert first.num_examples == SEVERAL[:, 0].sum()
    assert first.num_said == (LOGITS[:, 0] > 0).sum()
    assert first.precision == first.correct / first.num_said
    assert (never.average_precision, never.recall) == (None, None)
    chances = 1 / (1 + np.exp(-LOGITS.astype(float)))
    truth = SEVERAL * np.array([1, 1, 0])
    np.testing.assert_allclose(judge.calibration.ece, expected_error(chances.ravel(), truth.ravel()), rtol=1e-6)
    place = judge.worst(1)[0][0]
    assert judge.text(place)[0] == (", ".join(np.array(list("abc"))[truth[place] > 0]) or "-")


def test_of_numbers_residuals_are_in_the_units_of_the_data_and_by_fifths_of_the_truth() -> None:
    objective = Regress(mean=50.0, deviation=10.0)
    truth = RNG.normal(50, 10, N)
    errors = RNG.normal(1, 2, N)
    outputs = ((truth + errors - 50) / 10)[:, None]
    found = judged(objective, outputs, truth, ())
    residuals = found.residuals
    np.testing.assert_allclose(residuals.bias, errors.mean(), rtol=1e-9)
    np.testing.assert_allclose(residuals.mean_error, abs(errors).mean(), rtol=1e-9)
    np.testing.assert_allclose(residuals.root_mean_square, np.sqrt((errors**2).mean()), rtol=1e-9)
    assert [share for share, _ in residuals.quantiles] == [0.05, 0.25, 0.5, 0.75, 0.95]
    assert [part.count for part in residuals.by_truth] == [60] * 5
    assert residuals.by_truth[0].low == truth.min()
    assert residuals.by_truth[-1].high == truth.max()
    assert found.worst(1)[0][0] == abs(errors).argmax()
    assert found.calibration is None


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_numbers_have_a_report_too(count: int) -> None:
    assert sum(part.count for part in residuals_of(np.zeros(count), np.arange(count)).by_truth) == count


def test_outputs_that_are_no_numbers_are_the_worst_and_can_be_told_as_json() -> None:
    outputs = LOGITS.copy()
    outputs[5] = np.nan
    judge = judged(MeanAveragePrecision(num_labels=C), outputs, SEVERAL)
    (place, loss), _ = judge.worst(2)
    assert place == 5
    assert np.isfinite(loss)
    assert np.isfinite(judge.calibration.ece)
