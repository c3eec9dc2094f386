from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.engine.drafting import Draft, draft_all, grouped
from mu2net_core.nn import InputSpec
from mu2net_core.objects import Mutation, System
from mu2net_core.search import ChildPlan, Population
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import Workbench


@pytest.fixture
def system(bench: Workbench) -> System:
    return SystemBuilder().root(bench.root()).task("a").build()


def drafts(bench: Workbench, system: System, *plans: ChildPlan) -> tuple[Draft, ...]:
    return draft_all(bench.workshop("a"), plans, Population(task="a"), system)


def members(groups: list[list[Draft]]) -> list[list[int]]:
    return [[one.child for one in group] for group in groups]


def test_children_of_one_program_and_frozen_part_are_trained_together(bench: Workbench, system, plan_of) -> None:
    root, other = bench.root(), bench.root(num_layers=2)
    plans = (
        plan_of(root, ("block_0",)),
        plan_of(root),
        plan_of(root, ("block_0",), seed=2, learning_rate=0.5),
        plan_of(root, ("embedding",)),
        plan_of(root, ("embedding", "block_0"), seed=3),
        plan_of(other, ("block_1",)),  # as many layers are trained, above another frozen part
    )
    made = drafts(bench, system, *plans)
    assert members(grouped(made, 4)) == [[0, 2], [1], [3, 4], [5]]
    assert members(grouped(made, 1)) == [[0], [1], [2], [3], [4], [5]]
    assert members(grouped([made[0]] * 5, 2)) == [[0, 0], [0, 0], [0]]


def test_children_that_see_other_examples_are_never_trained_together(bench: Workbench, system, plan_of) -> None:
    plans = [plan_of(bench.root(), brightness=strength) for strength in (0.0, 0.1, 0.0)]
    made = drafts(bench, system, *plans)
    assert members(grouped(made, 4)) == [[0, 2], [1]]
    inputs = [InputSpec.image(side) for side in (2, 4, 2)]
    assert members(grouped([replace(made[0], input_spec=one) for one in inputs], 4)) == [[0, 0], [0]]


def test_a_copy_of_a_layer_that_the_same_plan_removes_did_not_happen(bench: Workbench, system, plan_of) -> None:
    names = ("hp:num_layers", "clone:block_0", "clone:block_1", "mu:clone:block_1")
    plan = replace(
        plan_of(bench.root(num_layers=2), ("block_0", "block_1"), num_layers=1),
        mutations=tuple(Mutation(name=name) for name in names),
    )
    (draft,) = drafts(bench, system, plan)
    assert draft.plan.clones == {"block_0"}
    assert [mutation.name for mutation in draft.plan.mutations] == [
        "hp:num_layers",
        "clone:block_0",
        "mu:clone:block_1",
    ]
