from __future__ import annotations

from itertools import pairwise

import pytest

from mu2net_core.seeds import derive_seed, rng


def test_a_place_always_has_the_same_seed() -> None:
    # Written down once: another value would make every recorded seed mean something else.
    assert derive_seed(7, "child", 3) == 1158911927092991086
    assert rng(7, "child", 3).random() == 0.33089150252712995


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "a"), (2, "a")),
        ((1, "a"), (1, "b")),
        ((1, "a", "b"), (1, "ab")),
        ((1, "a", 1), (1, "a", "1")),
        ((1, 11), (1, 1, 1)),
        ((11,), (1, 1)),
        ((-1,), (1,)),
    ],
)
def test_different_places_have_different_seeds(one, other) -> None:
    assert derive_seed(*one) != derive_seed(*other)


def test_seeds_fit_63_bits_and_fill_them() -> None:
    seeds = [derive_seed(seed, "x") for seed in range(500)]
    assert len(set(seeds)) == 500
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62


def test_streams_of_neighbouring_seeds_look_independent() -> None:
    firsts = [rng(seed, "child", 0).random() for seed in range(2000)]
    assert sum(firsts) / 2000 == pytest.approx(0.5, abs=0.02)
    both_low = sum(a < 0.5 and b < 0.5 for a, b in pairwise(firsts)) / 1999
    assert both_low == pytest.approx(0.25, abs=0.04)
