from __future__ import annotations

from math import inf
from typing import Any

import pytest

from mu2net_core.errors import PluginError, SearchError
from mu2net_core.objects import Costs, Scorer
from mu2net_core.scoring import SCORERS, ScorerFn, rank_key, score
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.conformance.scorers import ScorerTests

COSTS = Costs(params=10, accounted_params=5.0, flops=100)


class TestShippedScorers(ScorerTests):
    @pytest.fixture(params=SCORERS.shipped)
    def scorer(self, request: pytest.FixtureRequest) -> ScorerFn:
        return SCORERS.load(request.param)


def powerless(quality: float, costs: Costs, scorer: Scorer) -> float:
    exponent = costs.accounted_params / scorer.params_scale + costs.flops / scorer.flops_scale
    return quality / scorer.factor**exponent  # which divides by nothing where costs are large


SEEN: list[float] = []


def remembering(quality: float, costs: Costs, scorer: Scorer) -> float:
    SEEN.append(quality)
    return quality + len(SEEN)


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (lambda quality, costs, scorer: inf, "gives_a_finite_number_for_every_model"),
        (lambda quality, costs, scorer: 1, "gives_a_finite_number_for_every_model"),
        (lambda quality, costs, scorer: None if quality == 0 else quality, "gives_a_finite_number_for_every_model"),
        (powerless, "gives_a_finite_number_for_every_model"),
        (remembering, "gives_the_same_number_for_the_same_model"),
        (lambda quality, costs, scorer: -quality, "a_better_quality_is_never_worth_less"),
        (lambda quality, costs, scorer: quality + costs.flops, "a_dearer_model_is_never_worth_more"),
        (lambda quality, costs, scorer: quality + costs.params, "a_dearer_model_is_never_worth_more"),
    ],
)
def test_the_suite_notices_what_is_wrong(wrong: Any, test: str) -> None:
    numbers = Scorer(name="any", factor=0.9, params_scale=1e3, flops_scale=1e4)
    getattr(ScorerTests(), f"test_{test}")(SCORERS.load("decay"), numbers)
    with pytest.raises((AssertionError, ArithmeticError)):
        getattr(ScorerTests(), f"test_{test}")(wrong, numbers)


def test_a_scorer_that_nobody_here_knows_is_named() -> None:
    with pytest.raises(PluginError, match=r"No scorer 'decoy' is installed; there are decay\.\nDid you mean decay\?"):
        score(0.5, COSTS, Scorer(name="decoy"))


@pytest.mark.parametrize("wrong", [lambda *_: inf, lambda *_: 1 / 0, lambda *_: None])
def test_a_scorer_that_gives_no_number_is_named(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, SCORERS, broken=wrong)
    with pytest.raises(SearchError, match=r"The scorer 'broken' gives no finite number for quality 0\.5"):
        score(0.5, COSTS, Scorer(name="broken"))


def test_what_has_no_score_ranks_below_every_score() -> None:
    assert sorted([0.5, None, -7.0, 0.0], key=rank_key) == [None, -7.0, 0.0, 0.5]
