"""Copying all layers of a parent at once, instead of each by a chance of its own."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from mu2net_core.search import ChildPlan, Holdings, Preparation, SearchSpace, mutate
from mu2net_core.testing.building.systems import SampleStructure, sample_member, sample_ref

LAYERS = ("embedding", "block_0", "block_1")
CHILDREN = 4_000


def plans(
    copy_all: float, *, inherited: float | None = None, mu: float = 0.0, rates: tuple[float, ...] = ()
) -> list[ChildPlan]:
    values = {"mu": rates or (mu,), "copy_all": (copy_all,)}
    space = SearchSpace(values=values, defaults={"mu": mu, "copy_all": copy_all})
    refs = [sample_ref(name, "b") for name in (*LAYERS, "norm", "head")]
    own = {"mu": mu} | ({} if inherited is None else {"copy_all": inherited})
    parent = sample_member("b", refs, hyperparameters=own)
    structure, holdings = SampleStructure(), Holdings(task="a")
    return [mutate(parent, space, structure, holdings, Preparation(), Random(seed), seed) for seed in range(CHILDREN)]


def copied(children: list[ChildPlan]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(name for name in LAYERS if name in child.clones) for child in children)


@pytest.mark.parametrize(("share", "inherited"), [(0.5, None), (0.0, 0.5), (1.0, 0.5)])
def test_all_layers_are_copied_as_often_as_the_parent_or_else_the_space_says_and_else_chance_decides_on_each(
    share: float, inherited: float | None
) -> None:
    found = copied(plans(share, inherited=inherited))
    assert set(found) == {LAYERS, ()}  # µ is 0
    assert abs(found[LAYERS] - CHILDREN / 2) <= 3 * (CHILDREN / 4) ** 0.5
    coins = copied(plans(share, inherited=inherited, mu=0.5))
    assert len(coins) == 2 ** len(LAYERS)
    assert abs(coins[()] - CHILDREN / 16) <= 3 * (CHILDREN / 16 * 15 / 16) ** 0.5


def test_what_is_copied_at_once_is_told_like_other_mutations_and_moves_no_rates() -> None:
    for child in plans(1.0, mu=1.0, rates=(0.5, 1.0))[:50]:
        assert sorted(made.name for made in child.mutations) == sorted(f"clone:{name}" for name in LAYERS)
        assert child.mutation_rates == {}


def test_where_it_is_0_children_are_those_of_a_space_that_does_not_know_it() -> None:
    space = SearchSpace(values={"mu": (0.5,)}, defaults={"mu": 0.5})
    parent = sample_member("b", [sample_ref(name, "b") for name in (*LAYERS, "head")], hyperparameters={"mu": 0.5})
    known = SearchSpace(values={"mu": (0.5,), "copy_all": (0.0,)}, defaults={"mu": 0.5, "copy_all": 0.0})
    for seed in range(50):
        first, second = (
            mutate(parent, each, SampleStructure(), Holdings(task="a"), Preparation(), Random(seed), seed)
            for each in (space, known)
        )
        assert (first.clones, first.mutations) == (second.clones, second.mutations)
