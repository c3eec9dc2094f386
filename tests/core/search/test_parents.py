from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from mu2net_core.errors import SearchError
from mu2net_core.search import Member, sample_parent
from mu2net_core.testing.building.systems import sample_member, sample_ref

DRAWS = 8000


def member(task: str | None, name: str, score: float = 0.5) -> Member:
    return Member(id=name, model=sample_member(task, [sample_ref(name)], score=score).model)


LOW, HIGH = member("a", "low", 0.4), member("a", "high", 0.6)
B, C = member("b", "b"), member("c", "c")
ROOT, ROOT2 = member(None, "root"), member(None, "root2")


def frequencies(active=(), others=(), **selections: int) -> dict[str, float]:
    rng = Random(11)
    found = Counter(sample_parent(active, others, selections, rng).id for _ in range(DRAWS))
    return {name: count / DRAWS for name, count in found.items()}


def assert_like(found: dict[str, float], exact: dict[str, float]) -> None:
    assert set(found) == {name for name, p in exact.items() if p > 0}
    assert sum(exact.values()) == pytest.approx(1)
    for name, probability in exact.items():
        assert abs(found.get(name, 0) - probability) <= 3.5 * (probability * (1 - probability) / DRAWS) ** 0.5, name


def test_a_model_never_selected_is_always_accepted_and_the_best_comes_first() -> None:
    for active in ([LOW, HIGH], [HIGH, LOW]):
        assert_like(frequencies(active, [B, ROOT]), {"high": 1})


def test_the_active_population_is_visited_by_decreasing_score() -> None:
    # high accepts with 1/4, then low with 1/2, then b and c in either order with 1 for whoever comes first.
    found = frequencies([LOW, HIGH], [B, C], high=2, low=1)
    rest = 3 / 4 * 1 / 2
    assert_like(found, {"high": 1 / 4, "low": 3 / 4 * 1 / 2, "b": rest / 2, "c": rest / 2})


def test_where_scores_tie_the_newest_comes_first() -> None:
    older, newer = member("a", "older"), member("a", "newer")
    assert_like(frequencies([older, newer], older=0, newer=1), {"newer": 1 / 2, "older": 1 / 2})
    assert_like(frequencies([older, newer], older=1), {"newer": 1})


def test_if_nobody_accepts_any_model_is_drawn_uniformly() -> None:
    # Each accepts with 1/2 in its turn; b and c come in random order.
    found = frequencies([HIGH], [B, C], high=1, b=1, c=1)
    last = (1 / 2) ** 3
    other = 1 / 2 * (1 / 2 * 1 / 2 + 1 / 2 * 1 / 4)
    assert_like(found, {"high": 1 / 2 + last / 3, "b": other + last / 3, "c": other + last / 3})


def test_unequal_counts_in_random_order() -> None:
    # b first (1/2): b 1/2, c 1/2 * 1/4; c first: c 1/4, b 3/4 * 1/2; nobody: 1/2 * 3/4, uniform over three.
    nobody = 1 / 2 * 3 / 4
    found = frequencies([], [B, C, ROOT], b=1, c=2, root=5000)
    assert_like(
        found,
        {
            "b": 1 / 2 * (1 / 2 + 3 / 4 * 1 / 2) + nobody / 3,
            "c": 1 / 2 * (1 / 2 * 1 / 4 + 1 / 4) + nobody / 3,
            "root": nobody / 3,
        },
    )


def test_a_root_is_a_candidate_like_the_models_of_other_tasks() -> None:
    assert_like(frequencies([], [B, ROOT]), {"b": 1 / 2, "root": 1 / 2})
    assert_like(frequencies([], [B, ROOT], b=1), {"b": 1 / 4, "root": 3 / 4})  # root first, or b passes
    assert_like(frequencies([], [ROOT, ROOT2]), {"root": 1 / 2, "root2": 1 / 2})


def test_a_model_selected_very_often_is_still_drawn_at_the_end() -> None:
    assert_like(frequencies([HIGH], [ROOT], high=5000, root=5000), {"high": 1 / 2, "root": 1 / 2})


def test_without_any_model_there_is_no_parent() -> None:
    with pytest.raises(SearchError, match="no root model") as caught:
        sample_parent([], [], {}, Random(1))
    assert "mu2net init" in (caught.value.hint or "")


def test_who_has_no_weight_weighs_one_beside_those_that_have() -> None:
    found = Counter(sample_parent([], [B, C], {}, Random(seed), weights={"b": 1.0}).id for seed in range(2_000))
    assert abs(found["b"] - 1_000) <= 3.5 * 500**0.5
