from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mu2net_core.data import Examples, describe_task, load_split
from mu2net_core.errors import DataError


@pytest.mark.parametrize(
    ("images", "labels", "match"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), np.zeros(2, np.int32), "images: expected uint8"),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int32), "images: expected uint8"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(2, np.int64), "labels: expected int32"),
        (np.zeros((2, 4, 4, 3), np.uint8), np.zeros(3, np.int32), "labels: expected int32"),
    ],
)
def test_examples_have_one_shape_and_type(images: np.ndarray, labels: np.ndarray, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Examples(images=images, labels=labels)
    assert len(Examples(images=np.zeros((2, 4, 4, 3), np.uint8), labels=np.zeros(2, np.int32))) == 2


@pytest.mark.parametrize("num_examples", [0, 10**13])
def test_a_split_that_counts_other_examples_than_its_slices_name(num_examples: int) -> None:
    task = describe_task("sklearn:digits").task
    wrong = replace(task.splits["test"], num_examples=num_examples)
    with pytest.raises(DataError, match="names 359 examples and counts"):
        load_split(replace(task, splits={**task.splits, "test": wrong}), "test", size=(8, 8))
