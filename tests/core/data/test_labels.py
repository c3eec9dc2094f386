"""Labels: of the shape and type that the output says, and nothing that no model could give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mu2net_core.data import Stored, checked_label
from mu2net_core.data.labels import empty_labels
from mu2net_core.errors import DataError
from mu2net_core.objects import Classes, Labels, Number, Other, Output

CLASSES, LABELS, NUMBER = Classes(names=("a", "b", "c")), Labels(names=("a", "b")), Number(mean=1.0, deviation=2.0)
ANGLES = Other(kind="angles", values={"size": 4, "label_shape": [2]})


def stored(label: Any) -> Stored:
    return Stored(name="train[7]", input=b"", label=label)


@pytest.mark.parametrize(
    ("output", "label", "expected"),
    [
        (CLASSES, 2, np.array(2, "<i4")),
        (LABELS, (0, 1), np.array([0, 1], np.uint8)),
        (NUMBER, 1.5, np.array(1.5, "<f4")),
        (ANGLES, [0.5, -1], np.array([0.5, -1], "<f4")),
        (Other(kind="angle", values={"size": 2}), 0.25, np.array(0.25, "<f4")),
    ],
)
def test_a_label_has_the_shape_and_type_that_its_output_says(output: Output, label: Any, expected: np.ndarray) -> None:
    found = checked_label(stored(label), output)
    assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
    room = empty_labels(output, 3)
    assert (room.dtype, room.shape) == (expected.dtype, (3, *expected.shape))


@pytest.mark.parametrize(
    ("output", "label", "told"),
    [
        (CLASSES, 3, "expected 0 to 2, found 3"),
        (CLASSES, -1, "expected 0 to 2, found -1"),
        (CLASSES, 1.5, "expected 0 to 2, found 1.5"),
        (LABELS, (0, 1, 1), r"another shape in train\[7\]: expected \[2\], got \[3\]"),
        (LABELS, (0, 2), "expected 0 or 1 for each"),
        (NUMBER, float("nan"), "no number: nan"),
        (NUMBER, (1.0, 2.0), r"expected \[\], got \[2\]"),
        (ANGLES, (1.0, float("inf")), "no number"),
    ],
)
def test_what_no_model_could_give_is_no_label(output: Output, label: Any, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        checked_label(stored(label), output)
    assert "train[7]" in caught.value.message
