"""What every scorer must do: inherit ``ScorerTests``, give it the fixture ``scorer``, and run it with pytest."""

from __future__ import annotations

from itertools import pairwise, product
from math import isfinite

import pytest

from mu2net_core.objects import Costs, Scorer
from mu2net_core.scoring import ScorerFn

__all__ = ["ScorerTests"]

_NUMBERS = (
    Scorer(name="any"),
    Scorer(name="any", factor=0.9, params_scale=1e3, flops_scale=1e4),
    Scorer(name="any", factor=5e-324, params_scale=5e-324, flops_scale=1e300),
)
_QUALITIES = (0.0, 1e-9, 0.25, 0.5, 0.75, 1.0)
_SIZES = (0, 1, 10, 1_000, 123_456_789, 2**62)


def _costs(params: int, flops: int, share: float = 1.0) -> Costs:
    return Costs(params=params, accounted_params=params * share, flops=flops)


@pytest.mark.parametrize("numbers", _NUMBERS, ids=["cheap", "costly", "extreme"])
class ScorerTests:
    """The contract of ``mu2net_core.scoring.ScorerFn``, one behaviour a test."""

    def test_gives_a_finite_number_for_every_model(self, scorer: ScorerFn, numbers: Scorer) -> None:
        for quality, params, flops in product(_QUALITIES, _SIZES, _SIZES):
            value = scorer(quality, _costs(params, flops), numbers)
            assert isinstance(value, float)
            assert isfinite(value)

    def test_gives_the_same_number_for_the_same_model(self, scorer: ScorerFn, numbers: Scorer) -> None:
        models = [(quality, _costs(size, 10 * size, 0.5)) for quality, size in product(_QUALITIES, _SIZES)]
        first = [scorer(quality, costs, numbers) for quality, costs in models]
        assert [scorer(quality, costs, numbers) for quality, costs in reversed(models)] == first[::-1]

    def test_a_better_quality_is_never_worth_less(self, scorer: ScorerFn, numbers: Scorer) -> None:
        for size in _SIZES:
            values = [scorer(quality, _costs(size, size), numbers) for quality in _QUALITIES]
            assert all(worse <= better for worse, better in pairwise(values))

    def test_a_dearer_model_is_never_worth_more(self, scorer: ScorerFn, numbers: Scorer) -> None:
        for quality in _QUALITIES:
            larger = [scorer(quality, _costs(params, 10), numbers) for params in _SIZES]
            slower = [scorer(quality, _costs(10, flops), numbers) for flops in _SIZES]
            assert all(cheap >= dear for values in (larger, slower) for cheap, dear in pairwise(values))
