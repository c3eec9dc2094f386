"""Changes of structure, and what all children of a generation share."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from mu2net_core.objects import Mutation
from mu2net_core.search import (
    ChildPlan,
    Holdings,
    Member,
    Population,
    Preparation,
    SearchSpace,
    ask,
    candidates,
    mutate,
    start,
)
from mu2net_core.testing.building.systems import SampleStructure, SystemBuilder, sample_member, sample_ref

STRUCTURE = SampleStructure()
HOLDINGS = Holdings(task="a")
SPACE = SearchSpace(
    values={
        "mu": (0.0, 0.2, 1.0),
        "num_layers": (0, 1, 2),
        "adapter_dim": (32,),
        "image_size": (32, 48, 64),
        "hue": (0.0, 0.1, 0.2),
    },
    defaults={"mu": 0.2, "num_layers": 2, "adapter_dim": 32, "image_size": 48, "hue": 0.0},
    structural=("adapter",),
    shared=frozenset({"image_size", "hue"}),
)
ADAPTERS = ("add:adapter_0", "add:adapter_1")


def model(task: str | None, name: str, score: float = 0.5, rates: dict[str, float] | None = None, **changed) -> Member:
    hyperparameters = {**SPACE.defaults, **changed}
    refs = [sample_ref(name), sample_ref("head", *([] if task is None else [task]), oid=f"head-{name}")]
    return sample_member(task, refs, score=score, hyperparameters=hyperparameters, mutation_rates=rates)


def drawn(parent: Member, space: SearchSpace = SPACE, seed: int = 1) -> ChildPlan:
    return mutate(
        parent, space, STRUCTURE, HOLDINGS, Preparation(values={"image_size": 48, "hue": 0.0}), Random(seed), seed
    )


def surely(*mutations: str) -> dict[str, float]:
    """Returns rates under which exactly these mutations happen to ``model``."""
    return dict.fromkeys(("hp:num_layers", "hp:image_size", "hp:hue", "clone:own", *ADAPTERS), 0.0) | dict.fromkeys(
        mutations, 1.0
    )


def test_changes_of_structure_are_candidates_where_their_kind_is_enabled() -> None:
    parent = model(None, "own").model
    moves = {"clone:own", "hp:hue", "hp:image_size", "hp:num_layers"}
    assert set(candidates(parent, replace(SPACE, structural=()), STRUCTURE, HOLDINGS)) == moves
    assert set(candidates(parent, SPACE, STRUCTURE, HOLDINGS)) == {*moves, *ADAPTERS}
    both = replace(SPACE, structural=("adapter", "mlp"))
    assert set(candidates(parent, both, STRUCTURE, HOLDINGS)) == {*moves, *ADAPTERS, "grow:mlp_0", "grow:mlp_1"}
    assert "add:adapter_0" not in candidates(model(None, "own", adapter_0=8).model, SPACE, STRUCTURE, HOLDINGS)


def test_a_change_of_structure_sets_its_hyperparameter_and_is_recorded() -> None:
    plan = drawn(model(None, "own", rates=surely("add:adapter_1"), mu=0.0, adapter_0=8))
    assert plan.hyperparameters == {**SPACE.defaults, "mu": 0.0, "adapter_0": 8, "adapter_1": 32}
    (change,) = [mutation for mutation in plan.mutations if not mutation.name.startswith("mu:")]
    assert change == Mutation(name="add:adapter_1", before=None, after=32)


def test_growth_records_the_size_before() -> None:
    growing = replace(SPACE, structural=("mlp",))
    parent = model(None, "own", rates=surely("grow:mlp_0") | {"grow:mlp_1": 0.0}, mu=0.0, mlp_0=8)
    assert Mutation(name="grow:mlp_0", before=8, after=16) in drawn(parent, growing).mutations


def test_a_change_of_structure_has_a_rate_that_moves() -> None:
    plans = [drawn(model(None, "own", rates=surely("add:adapter_0"), mu=1.0), seed=seed) for seed in range(20)]
    assert {plan.mutation_rates["add:adapter_0"] for plan in plans} == {0.2, 1.0}
    stays = drawn(model(None, "own", rates=surely("add:adapter_0"), mu=0.0))
    assert stays.mutation_rates["add:adapter_0"] == 1.0


def test_a_block_that_is_removed_takes_its_structure_along() -> None:
    parent = model(None, "own", rates=surely("hp:num_layers", "add:adapter_0"), mu=0.0, adapter_1=8)
    plan = next(plan for seed in range(20) if (plan := drawn(parent, seed=seed)).hyperparameters["num_layers"] == 1)
    assert plan.hyperparameters == {**SPACE.defaults, "mu": 0.0, "num_layers": 1, "adapter_0": 32}


def test_what_was_added_to_a_block_removed_at_once_is_not_recorded() -> None:
    parent = model(None, "own", rates=surely("hp:num_layers", *ADAPTERS), mu=0.0)
    plan = next(plan for seed in range(20) if (plan := drawn(parent, seed=seed)).hyperparameters["num_layers"] == 1)
    assert [m.name for m in plan.mutations if not m.name.startswith("mu:")] == ["add:adapter_0", "hp:num_layers"]


def asked(
    best: Member | None, other: Member, seed: int, num_children: int = 6
) -> tuple[tuple[ChildPlan, ...], Population]:
    system = SystemBuilder().root(model(None, "root")).task("a", best).task("b", other).build()
    return ask(start(system, "a"), system, SPACE, num_children=num_children, structure=STRUCTURE, seed=seed)


def test_children_of_a_generation_share_how_examples_are_prepared() -> None:
    other = model("b", "other", image_size=32, hue=0.2, rates={"hp:hue": 1.0}, mu=0.0)
    seen, parents = set(), set()
    for seed in range(80):
        plans, _ = asked(model("a", "mine", rates={"hp:image_size": 0.2}), other, seed)
        (shared,) = {(plan.hyperparameters["image_size"], plan.hyperparameters["hue"]) for plan in plans}
        seen.add(shared)
        parents |= {plan.parent.model.task for plan in plans}
        (rates,) = {tuple(_rate(plan, f"hp:{name}") for name in ("hue", "image_size")) for plan in plans}
        assert set(rates) <= {0.0, 0.2, 1.0}
    assert parents >= {"a", "b"}
    assert {size for size, _ in seen} == {32, 48, 64}
    assert {hue for _, hue in seen} == {0.0, 0.1}  # a step from the best model's, not from the other parent's


def _rate(plan: ChildPlan, mutation: str) -> float:
    return plan.mutation_rates.get(mutation, float(plan.hyperparameters["mu"]))


def test_each_child_records_how_its_own_parent_prepared_examples_otherwise() -> None:
    best = model("a", "mine", image_size=64, rates={"hp:image_size": 0.0, "hp:hue": 0.0}, mu=0.0)
    plans, _ = asked(best, model("b", "other", image_size=32), seed=3, num_children=12)
    for plan in plans:
        told = {mutation.name: mutation for mutation in plan.mutations}
        assert len(told) == len(plan.mutations)
        before = plan.parent.model.hyperparameters["image_size"]
        assert plan.hyperparameters["image_size"] == 64
        assert told.get("hp:image_size") == (
            None if before == 64 else Mutation(name="hp:image_size", before=before, after=64)
        )
        assert _rate(plan, "hp:hue") == 0.0
        assert ("mu:hp:hue" in told) == (plan.parent.id != best.id)
    assert {plan.parent.model.task for plan in plans} == {"a", "b", None}


def test_without_a_best_model_preparation_starts_from_the_defaults() -> None:
    other = model("b", "other", image_size=32, hue=0.2)
    sizes = {asked(None, other, seed, 1)[0][0].hyperparameters["image_size"] for seed in range(60)}
    hues = {asked(None, other, seed, 1)[0][0].hyperparameters["hue"] for seed in range(60)}
    assert (sizes, hues) == ({32, 48, 64}, {0.0, 0.1})
