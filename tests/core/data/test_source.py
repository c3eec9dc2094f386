from __future__ import annotations

import numpy as np
import pytest

from mu2net_core.data import Examples


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
