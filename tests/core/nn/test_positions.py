from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import zoom

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import resize_positions

REFERENCE = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")) / "vit_reference"


def embedding(side: int, width: int = 3) -> np.ndarray:
    return np.random.default_rng(side).normal(size=(1, 1 + side * side, width)).astype(np.float32)


def test_positions_are_those_of_the_public_implementation() -> None:
    if not REFERENCE.is_dir():
        pytest.skip(f"no reference vectors in {REFERENCE}: set MU2NET_TEST_DATA")
    with np.load(REFERENCE / "checkpoint.npz") as checkpoint, np.load(REFERENCE / "expected.npz") as expected:
        resized = resize_positions(checkpoint["Transformer/posembed_input/pos_embedding"], 10)
        np.testing.assert_allclose(resized, expected["resized_pos_embedding"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [(2, 5), (4, 7), (7, 4), (14, 5), (3, 3), (1, 3), (4, 1)])
def test_a_grid_is_interpolated_between_its_corners_as_scipy_does(old: int, new: int) -> None:
    before = embedding(old)
    after = resize_positions(before, 1 + new * new)
    expected = zoom(before[0, 1:].reshape(old, old, -1).astype(np.float64), (new / old, new / old, 1), order=1)
    np.testing.assert_allclose(after[0, 1:].reshape(new, new, -1), expected, atol=1e-6)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after.shape, after.dtype) == ((1, 1 + new * new, 3), np.float32)


def test_the_same_size_changes_nothing() -> None:
    before = embedding(6)
    np.testing.assert_array_equal(resize_positions(before, 37), before)


@pytest.mark.parametrize(("shape", "tokens"), [((1, 6, 3), 10), ((1, 5, 3), 9), ((1, 1, 3), 5), ((1, 5, 3), 0)])
def test_what_is_on_no_square_grid_is_refused(shape: tuple[int, ...], tokens: int) -> None:
    with pytest.raises(InvalidInputError, match="expected a class token and a square grid of patches"):
        resize_positions(np.zeros(shape, np.float32), tokens)


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3)])
def test_what_is_no_embedding_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match=r"expected the shape \[1, tokens, width\]"):
        resize_positions(np.zeros(shape, np.float32), 5)
