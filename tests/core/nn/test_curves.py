"""Sums of curves: what a column adds to the output is the same whatever the other columns are."""

from __future__ import annotations

import numpy as np
import pytest

from mu2net_core.engine.optimizer import decays
from mu2net_core.nn import ArchitectureFamily, Curves, TableTransformer

CONFIG = {"columns": 3, "values": 5, "width": 4, "heads": 2, "mlp": 4}
NONE = (0.0, 0.0, -1.0, -1.0)
NUMBERS = ((0.3, 0.6, 0.0, 1.0), (-1.2, 0.1, 0.0, 2.0))
VALUE = (0.0, 0.0, 4.0, 3.0)


def outputs(family: ArchitectureFamily, *rows) -> np.ndarray:
    """Returns what a model of random numbers, without blocks, says of rows of three cells."""
    specs = family.layers(CONFIG, {"num_layers": 0}, 1)
    rng = np.random.default_rng(1)
    params = [
        {
            name: rng.normal(size=shape).astype(np.float32)
            for name, (shape, _) in sorted(family.kind(spec).shapes(spec).items())
        }
        for spec in specs
    ]
    return np.asarray(family.apply(specs, params, np.array(rows, np.float32)))


def gap(family: ArchitectureFamily, other) -> float:
    """Returns how much more two columns add together than each does alone; ``other`` is the third one's cell."""
    one, two = NUMBERS
    both, first, second, neither = outputs(
        family, (one, two, other), (one, NONE, other), (NONE, two, other), (NONE, NONE, other)
    )
    assert abs(first - neither).max() > 0.1
    return float(abs((both - first) - (second - neither)).max())


@pytest.mark.parametrize("other", [NONE, VALUE], ids=["no third column", "a third column"])
def test_what_a_column_adds_does_not_depend_on_the_others(other) -> None:
    assert gap(Curves(), other) < 1e-5
    assert gap(TableTransformer(), other) > 0.01


def test_all_products_between_a_number_and_the_output_decay_so_that_curves_stay_flat_without_examples() -> None:
    arrays = {
        f"{spec.name}/{name}"
        for spec in Curves().layers(CONFIG, {"num_layers": 0}, 1)
        for name in Curves().kind(spec).shapes(spec)
    }
    kept = {name for name in arrays if not decays(name)}
    assert kept == {"column_embedding/bias", "column_embedding/values", "head/bias"}


def rise(family: ArchitectureFamily, *, standard: float, rank: float) -> float:
    """Returns by how much the embedding of a first column, of ones, rises as a number does."""
    spec = family.layers(CONFIG, {"num_layers": 0}, 1)[0]
    ones = {name: np.ones(shape, np.float32) for name, (shape, _) in family.kind(spec).shapes(spec).items()}
    low, high = (
        np.asarray(family.apply([spec], [ones], np.array([[(*cell, 0.0, 1.0), NONE, NONE]], np.float32)))
        for cell in ((0.0, 0.0), (standard, rank))
    )
    return float((high - low)[0, 0, 0])


def test_a_curve_bends_a_quarter_as_far_as_it_rises_for_the_same_numbers() -> None:
    assert rise(Curves(), standard=1.0, rank=0.0) == rise(TableTransformer(), standard=1.0, rank=0.0) == 1.0
    assert rise(TableTransformer(), standard=0.0, rank=1.0) == 8.0  # all its eight pieces
    assert rise(Curves(), standard=0.0, rank=1.0) == 2.0
