from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from mu2net_core.objects import Mutation
from mu2net_core.search import ChildPlan, Holdings, Member, Preparation, SearchSpace, candidates, mutate, rate
from mu2net_core.search.mutations import as_it_is, copied_whole, draw_preparation, usual_preparation
from mu2net_core.testing.building.systems import SampleStructure, sample_member, sample_ref

MU = tuple(round(0.02 * step, 2) for step in range(1, 16))
SPACE = SearchSpace(
    values={"mu": MU, "learning_rate": (0.01, 0.02, 0.05), "num_layers": (0, 1, 2), "image_size": (32,)},
    defaults={"mu": 0.1, "learning_rate": 0.02, "num_layers": 1, "image_size": 32},
    shared=frozenset({"image_size"}),
)
STRUCTURE = SampleStructure()
HOLDINGS = Holdings(task="a")
REFS = [sample_ref(name) for name in ("embedding", "encoderblock_0", "norm", "head")]
NAMES = ("clone:embedding", "clone:encoderblock_0", "hp:learning_rate", "hp:num_layers")
MIDDLE = {"mu": 0.1, "learning_rate": 0.02, "num_layers": 1, "image_size": 32}


def parent(**rates: float) -> Member:
    own = {name.replace("__", ":"): value for name, value in rates.items()}
    return sample_member(None, REFS, hyperparameters=MIDDLE, mutation_rates=own)


def children(of: Member, count: int) -> list[ChildPlan]:
    rng = Random(3)
    return [mutate(of, SPACE, STRUCTURE, HOLDINGS, Preparation(), rng, seed) for seed in range(count)]


def test_candidates_are_clones_of_what_is_not_trained_anyway_and_moves_with_somewhere_to_go() -> None:
    assert candidates(parent().model, SPACE, STRUCTURE, HOLDINGS) == NAMES


def test_a_mutation_has_its_own_rate_else_the_hyperparameter_mu_else_its_default() -> None:
    model = sample_member(
        None, REFS, hyperparameters={**MIDDLE, "mu": 0.2}, mutation_rates={"clone:embedding": 0.04}
    ).model
    assert rate(model, "clone:embedding", SPACE) == 0.04
    assert rate(model, "hp:num_layers", SPACE) == 0.2
    bare = sample_member(None, REFS, hyperparameters={"learning_rate": 0.01}).model
    assert rate(bare, "hp:num_layers", SPACE) == 0.1


def test_each_mutation_is_applied_with_its_own_probability() -> None:
    rates = {"clone:embedding": 0.3, "clone:encoderblock_0": 0.04, "hp:learning_rate": 0.2, "hp:num_layers": 0.1}
    count = 4000
    plans = children(parent(**{name.replace(":", "__"): value for name, value in rates.items()}), count)
    found = Counter(mutation.name for plan in plans for mutation in plan.mutations)
    for name, probability in rates.items():
        # Values start in the middle of their lists, so that every hit shows; so do the rates, but for those clipped.
        sigma = (count * probability * (1 - probability)) ** 0.5
        assert abs(found[name] - count * probability) < 3 * sigma, name
        moves = 0.1 * (0.5 if probability == 0.3 else 1.0)  # mu, whatever the mutation's own rate is
        assert abs(found[f"mu:{name}"] - count * moves) < 3 * (count * moves * (1 - moves)) ** 0.5, name


def test_a_moved_rate_decides_already_for_the_child_that_moved_it() -> None:
    space = replace(SPACE, values={**SPACE.values, "mu": (0.0, 0.5, 1.0)}, defaults={**SPACE.defaults, "mu": 1.0})
    rates = dict.fromkeys(NAMES, 0.5)
    of = sample_member(None, REFS, hyperparameters={**MIDDLE, "mu": 1.0}, mutation_rates=rates)  # every rate moves
    rng, moved = Random(3), Counter[float]()
    for seed in range(100):
        plan = mutate(of, space, STRUCTURE, HOLDINGS, Preparation(), rng, seed)
        told = {mutation.name for mutation in plan.mutations}
        assert {name for name in NAMES if plan.mutation_rates[name] == 1.0} == told.intersection(NAMES)
        moved.update(plan.mutation_rates.values())
    assert set(moved) == {0.0, 1.0}


def test_a_moved_rate_of_the_preparation_decides_already_for_the_generation_that_moved_it() -> None:
    values = {"mu": (0.0, 0.5, 1.0), "hue": (0.0, 0.1, 0.2)}
    space = SearchSpace(values=values, defaults={"mu": 1.0, "hue": 0.1}, shared=frozenset({"hue"}))
    leader = sample_member("a", REFS, hyperparameters={"mu": 1.0, "hue": 0.1}, mutation_rates={"hp:hue": 0.5}).model
    rng, seen = Random(3), set[float]()
    for _ in range(50):
        drawn = draw_preparation(leader, space, rng)
        assert (drawn.values["hue"] != 0.1) == (drawn.rates["hp:hue"] == 1.0)
        seen.add(drawn.rates["hp:hue"])
    assert seen == {0.0, 1.0}


def test_mutations_are_drawn_independently() -> None:
    plans = children(parent(clone__embedding=0.3, clone__encoderblock_0=0.3), 4000)
    both = sum(plan.clones == {"embedding", "encoderblock_0"} for plan in plans)
    assert abs(both - 4000 * 0.09) < 3 * (4000 * 0.09 * 0.91) ** 0.5


def test_a_plan_says_exactly_what_changed() -> None:
    for plan in children(parent(), 500):
        told = {mutation.name: mutation for mutation in plan.mutations}
        assert len(told) == len(plan.mutations)
        assert plan.clones == {name.removeprefix("clone:") for name in told if name.startswith("clone:")}
        assert set(plan.hyperparameters) == set(MIDDLE)
        for name, value in MIDDLE.items():
            change = told.get(f"hp:{name}")
            assert (plan.hyperparameters[name] != value) == (change is not None)
            if change is not None:
                assert (change.before, change.after) == (value, plan.hyperparameters[name])
        for name in NAMES:
            change = told.get(f"mu:{name}")
            assert (name in plan.mutation_rates) == (change is not None)
            if change is not None:
                assert (change.before, change.after) == (0.1, plan.mutation_rates[name])


def test_over_many_generations_rates_and_values_stay_on_their_lists() -> None:
    rng, member, seen = Random(5), parent(), set[float]()
    for seed in range(600):
        plan = mutate(member, SPACE, STRUCTURE, HOLDINGS, Preparation(), rng, seed)
        assert set(plan.mutation_rates.values()) <= set(MU)
        assert all(value in SPACE.values[name] for name, value in plan.hyperparameters.items())
        assert plan.hyperparameters["mu"] == 0.1
        seen.update(plan.mutation_rates.values())
        member = sample_member("a", REFS, hyperparameters=plan.hyperparameters, mutation_rates=plan.mutation_rates)
    assert len(seen) > 5


def test_a_parent_from_before_a_hyperparameter_existed_gets_its_default() -> None:
    old = sample_member(None, REFS, hyperparameters={"mu": 0.02, "learning_rate": 0.01, "gone": 3})
    plan = mutate(old, SPACE, STRUCTURE, HOLDINGS, Preparation(), Random(1), 0)
    assert plan.hyperparameters["image_size"] == 32
    assert plan.hyperparameters["gone"] == 3


def test_the_parent_itself_is_not_touched() -> None:
    member = parent(clone__embedding=0.3)
    children(member, 50)
    assert member.model.hyperparameters == MIDDLE
    assert member.model.mutation_rates == {"clone:embedding": 0.3}


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_the_ends_of_probability_are_certain(probability: float) -> None:
    space = SearchSpace(values={"mu": (probability,)}, defaults={"mu": probability})
    member = sample_member(None, REFS, hyperparameters={"mu": probability})
    plan = mutate(member, space, STRUCTURE, HOLDINGS, Preparation(), Random(1), 0)
    assert len(plan.clones) == 2 * probability
    assert plan.mutation_rates == {}


def test_a_value_that_the_space_has_not_becomes_the_nearest_that_it_has_and_that_is_told() -> None:
    space = replace(
        SPACE, values={**SPACE.values, "learning_rate": (0.05,)}, defaults={**SPACE.defaults, "learning_rate": 0.05}
    )
    for plan in (mutate(parent(), space, STRUCTURE, HOLDINGS, Preparation(), Random(seed), seed) for seed in range(5)):
        assert plan.hyperparameters["learning_rate"] == 0.05
        assert Mutation(name="hp:learning_rate", before=0.02, after=0.05) in plan.mutations


def test_examples_are_prepared_as_by_default_with_the_rates_that_moves_begin_with() -> None:
    values = {"mu": (0.1, 0.2), "hue": (0.0, 0.1, 0.2), "jpeg": (0.5,), "learning_rate": (0.01, 0.02)}
    defaults = {"mu": 0.2, "hue": 0.1, "jpeg": 0.5, "learning_rate": 0.01}
    space = SearchSpace(values=values, defaults=defaults, shared=frozenset({"hue", "jpeg", "of another kind of data"}))
    assert usual_preparation(space) == Preparation(values={"hue": 0.1, "jpeg": 0.5}, rates={"hp:hue": 0.2})


def test_a_whole_copy_has_the_seed_that_it_was_given_and_the_parents_rates() -> None:
    plan = copied_whole(parent(clone__embedding=0.3), SPACE, STRUCTURE, HOLDINGS, Preparation(), 7)
    assert plan.seed == 7
    assert plan.mutation_rates == {"clone:embedding": 0.3}
    assert plan.clones == {"embedding", "encoderblock_0"}


def test_a_child_as_its_parent_is_has_its_values_but_examples_prepared_as_by_default() -> None:
    of = sample_member(
        None,
        REFS,
        hyperparameters={"learning_rate": 0.05, "image_size": 48, "its_own": 1},
        mutation_rates={"hp:num_layers": 0.3},
    )
    assert as_it_is(of, SPACE, 7) == ChildPlan(
        parent=of,
        clones=frozenset(),
        hyperparameters={**MIDDLE, "learning_rate": 0.05, "its_own": 1},
        mutation_rates={"hp:num_layers": 0.3},
        mutations=(),
        seed=7,
    )


EVERYTHING = SearchSpace(
    values={"mu": (1.0,), "learning_rate": (0.01, 0.02, 0.05), "momentum": (0.8, 0.9, 0.95), "copy_all": (1.0,)},
    defaults={"mu": 1.0, "learning_rate": 0.02, "momentum": 0.9, "copy_all": 1.0},
)
"""Where whatever can change does."""


def test_a_parent_without_mu_has_that_of_the_space() -> None:
    of = sample_member(None, REFS, hyperparameters={"learning_rate": 0.02, "momentum": 0.9})
    plan = mutate(of, EVERYTHING, STRUCTURE, HOLDINGS, Preparation(), Random(1), 1)
    assert {"hp:learning_rate", "hp:momentum"} <= {mutation.name for mutation in plan.mutations}


def test_what_is_decided_already_keeps_nothing_else_from_being_drawn() -> None:
    of, given = sample_member(None, REFS, hyperparameters=EVERYTHING.defaults), {"learning_rate": 0.05}
    for preparation, decided in (
        (Preparation(values={"learning_rate": 0.05}, rates={"hp:learning_rate": 1.0}), None),
        (Preparation(), given),
    ):
        plan = mutate(of, EVERYTHING, STRUCTURE, HOLDINGS, preparation, Random(1), 1, decided)
        assert plan.hyperparameters["learning_rate"] == 0.05
        assert plan.hyperparameters["momentum"] != 0.9
        assert plan.clones == {"embedding", "encoderblock_0"}


def test_none_of_several_layers_that_grew_is_moved_on() -> None:
    sizes: tuple[int, ...] = (4, 8, 16, 32)
    space = SearchSpace(
        values={"mu": (1.0,), "num_layers": (2,), "mlp_0": sizes, "mlp_1": sizes},
        defaults={"mu": 1.0, "num_layers": 2, "mlp_0": 4, "mlp_1": 8},
        structural=("mlp",),
    )
    of = sample_member(None, REFS, hyperparameters=space.defaults)
    for seed in range(10):
        plan = mutate(of, space, STRUCTURE, HOLDINGS, Preparation(), Random(seed), seed)
        assert (plan.hyperparameters["mlp_0"], plan.hyperparameters["mlp_1"]) == (8, 16)
