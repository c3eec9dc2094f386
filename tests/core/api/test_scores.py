from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from mu2net_core.api.models.scores import class_scores, confusions, wilson

CLASSES = ("a", "b", "c", "never there", "never said")


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and answers of 60 examples: no label is of the class 3, and no answer says 4."""
    draw = np.random.default_rng(seed)
    return draw.choice([0, 1, 2, 4], 60).astype(np.int32), draw.integers(0, 4, 60)


@pytest.mark.parametrize("seed", range(3))
def test_precision_and_recall_are_those_of_scikit_learn(seed: int) -> None:
    labels, said = drawn(seed)
    precision, recall, _, support = precision_recall_fscore_support(labels, said, labels=range(5), zero_division=np.nan)
    scores = class_scores(labels, said, CLASSES)
    assert [score.label for score in scores] == list(CLASSES)
    assert [score.num_examples for score in scores] == support.tolist()
    nan = float("nan")
    np.testing.assert_allclose([nan if s.precision is None else s.precision for s in scores], precision)
    np.testing.assert_allclose([nan if s.recall is None else s.recall for s in scores], recall)
    assert (scores[3].recall, scores[4].precision) == (None, None)
    assert sum(score.num_said for score in scores) == 60


@pytest.mark.parametrize("seed", range(3))
def test_confusions_are_the_confusion_matrix_without_its_diagonal(seed: int) -> None:
    labels, said = drawn(seed)
    matrix = confusion_matrix(labels, said, labels=range(5))
    found = confusions(labels, said, CLASSES)
    told = np.zeros((5, 5), int)
    for one in found:
        told[CLASSES.index(one.label), CLASSES.index(one.said)] = one.count
    np.testing.assert_array_equal(told, matrix - np.diag(np.diag(matrix)))
    assert [one.count for one in found] == sorted((one.count for one in found), reverse=True)


def test_nothing_is_confused_where_all_is_right() -> None:
    assert confusions(np.array([0, 1]), np.array([0, 1]), CLASSES) == ()


@pytest.mark.parametrize(
    ("correct", "total"), [(0, 1), (1, 1), (3, 24), (0, 10), (10, 10), (282, 359), (50_000, 99_999)]
)
def test_the_interval_is_wilsons(correct: int, total: int) -> None:
    expected = binomtest(correct, total).proportion_ci(method="wilson")
    assert wilson(correct, total) == pytest.approx((expected.low, expected.high), abs=1e-12)
