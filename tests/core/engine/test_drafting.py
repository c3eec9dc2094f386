from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mu2net_core.engine.drafting import Draft, bring_sources, draft_all, grouped
from mu2net_core.engine.slots import LayerPlan
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import InputSpec, family_named
from mu2net_core.objects import Component, ComponentRef, Mutation, System
from mu2net_core.presets import preset_named
from mu2net_core.search import ChildPlan, Merging, Partner, Population
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.workbench import Workbench


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
    assert members(grouped(made, 2)) == [[0, 2], [1], [3, 4], [5]]
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


def test_a_merge_with_a_layer_that_does_not_fit_did_not_happen(bench: Workbench, system, plan_of) -> None:
    root = bench.root()
    partner = Partner(model="gone", ref=root.model.components[1], training={})
    for kind, weight in (("merge", 0.5), ("cross", 1.0)):
        names = (f"{kind}:block_0", "hp:momentum")
        plan = plan_of(root, merges={"block_0": Merging(partner=partner, weight=weight)})
        plan = replace(plan, mutations=tuple(Mutation(name=name) for name in names))
        (draft,) = drafts(bench, system, plan)
        assert [mutation.name for mutation in draft.plan.mutations] == ["hp:momentum"]
        assert draft.plan.merges == {}


def test_a_child_takes_what_its_own_size_says(bench: Workbench, system, plan_of, monkeypatch) -> None:
    def sized(self: DenseFamily, config: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> InputSpec:
        return InputSpec.image(hyperparameters.get("image_size", config["image"]))

    monkeypatch.setattr(DenseFamily, "input", sized)
    root = bench.root()
    made = drafts(bench, system, plan_of(root), plan_of(root, image_size=4))
    assert [one.input_spec for one in made] == [InputSpec.image(2), InputSpec.image(4)]


def test_what_a_layer_starts_from_is_brought_at_once_and_has_to_be_of_it_or_of_what_can_be_made_to_fit() -> None:
    vit, sizes = family_named("vit"), preset_named("vit-mini").architecture.config
    small, large = (vit.layers({**sizes, "image": side}, {"num_layers": 1}, 3)[2] for side in (8, 16))
    held = Component(name=small.name, config=small.config, params=vit.init(small, np.random.default_rng(0)))
    ref = ComponentRef(
        id="a" * 64, name=small.name, num_params=1, size_bytes=1, trainable=False, operation="root", parent=None
    )
    prepared: list[list[ComponentRef]] = []
    pool = SimpleNamespace(component={ref.id: held}.__getitem__, prepare=lambda refs: prepared.append(list(refs)))
    shop: Any = SimpleNamespace(pool=pool, programs=SimpleNamespace(family=vit))
    same = LayerPlan(spec=small, source=ref, trainable=True, operation="clone")
    fitted = LayerPlan(spec=large, source=ref, trainable=True, operation="interpolate")
    new = LayerPlan(spec=large, source=None, trainable=True, operation="new")
    bring_sources(shop, [same, fitted, new])
    assert prepared == [[ref, ref]]
    with pytest.raises(CorruptObjectError, match="'tokens': 65"):
        bring_sources(shop, [replace(fitted, operation="clone")])
