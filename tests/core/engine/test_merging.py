"""A layer that begins as the weighted mean of two: what it is, who may read it, and when there is no such thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mu2net_core.engine.beginning import begun_layer
from mu2net_core.engine.drafting import Draft, bring_sources, draft_all
from mu2net_core.engine.generation import refit, train_generation
from mu2net_core.engine.slots import LayerPlan
from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import PUBLIC, AccessRule, Merge, System
from mu2net_core.search import ChildPlan, Kinship, Member, Merging, Population
from mu2net_core.testing.building.systems import SampleStructure, SystemBuilder
from mu2net_core.testing.building.workbench import Workbench

STRUCTURE = SampleStructure()


def evolved(bench: Workbench, name: str, plan: ChildPlan, system: System, access: AccessRule = PUBLIC) -> Member:
    shop = replace(bench.workshop(name), access=access)
    (result,) = train_generation(shop, (plan,), Population(task=name), system, seed=1)
    assert result.member is not None
    return replace(result.member, model=replace(result.member.model, test_quality=0.5))


@pytest.fixture
def lines(bench: Workbench, plan_of) -> tuple[Member, Member, Member]:
    """Returns a root, and models of tasks a and b that both trained copies of its block, b on its embedding too."""
    root = bench.root()
    system = SystemBuilder().root(root).task("a").task("b").build()
    mine = evolved(bench, "a", plan_of(root, ("block_0",)), system)
    theirs = evolved(bench, "b", plan_of(root, ("block_0", "embedding"), seed=2), system)
    return root, mine, theirs


def system_of(lines: tuple[Member, Member, Member], **rules: list[str]) -> System:
    root, mine, theirs = lines
    builder = SystemBuilder().root(root).task("a", mine, readers=rules.get("a"))
    return builder.task("b", theirs, readers=rules.get("b")).build()


def merging(lines: tuple[Member, Member, Member], layer: str = "block_0", weight: float = 0.25) -> dict[str, Merging]:
    _, mine, _ = lines
    partners = Kinship.of(system_of(lines), "a").partners(mine.model, STRUCTURE)
    return {layer: Merging(partner=partners[layer][0], weight=weight)}


def drafted(bench: Workbench, plan: ChildPlan, system: System) -> Draft:
    (draft,) = draft_all(bench.workshop("a"), (plan,), Population(task="a"), system)
    return draft


def layer_of(draft: Draft, name: str) -> LayerPlan:
    return next(layer for layer in draft.blueprint.layers if layer.spec.name == name)


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.9])
def test_it_begins_as_the_mean_of_both_and_without_what_the_optimizer_remembered(
    bench: Workbench, plan_of, lines, weight: float
) -> None:
    _, mine, theirs = lines
    draft = drafted(bench, plan_of(mine, merges=merging(lines, weight=weight)), system_of(lines))
    layer = layer_of(draft, "block_0")
    assert (layer.trainable, layer.operation) == (True, "merge")
    shop = bench.workshop("a")
    begun = begun_layer(layer, 1, shop.pool, shop.programs.family)
    own, other = (bench.components[one.model.component("block_0").id] for one in (mine, theirs))
    for name, array in begun.items():
        assert array.dtype == np.float32
        mean = (1 - weight) * own.params[name].astype(np.float64) + weight * other.params[name].astype(np.float64)
        np.testing.assert_allclose(array, mean, rtol=1e-6, atol=1e-7)
        assert not np.array_equal(array, own.params[name])
    trainer = shop.trainer(draft.input_spec)
    _, remembered = trainer._start(draft.job)
    place = [slot.spec.name for slot in draft.blueprint.slots].index("block_0")
    assert any(array.any() for array in own.opt_state.values())
    assert not any(array.any() for array in remembered[place].values())


def test_numbers_that_both_have_stay_as_they_are_to_the_bit(bench: Workbench, plan_of, lines) -> None:
    _, mine, theirs = lines
    draft = drafted(bench, plan_of(mine, merges=merging(lines, weight=0.9)), system_of(lines))
    layer, shop = layer_of(draft, "block_0"), bench.workshop("a")
    component = bench.components[mine.model.component("block_0").id]
    shop.pool.add(theirs.model.component("block_0").id, component)  # as the tokenizer of two embeddings is the same
    begun = begun_layer(layer, 1, shop.pool, shop.programs.family)
    assert all(np.array_equal(begun[name], array) for name, array in component.params.items())


def test_its_model_tells_both_sources_and_what_taught_either(bench: Workbench, plan_of, lines) -> None:
    root, mine, theirs = lines
    child = evolved(bench, "a", plan_of(mine, merges=merging(lines)), system_of(lines))
    ref, own, other = (one.model.component("block_0") for one in (child, mine, theirs))
    assert (ref.operation, ref.trainable, ref.parent) == ("merge", True, own.id)
    assert child.model.merges == {"block_0": Merge(component=other.id, model=theirs.id, weight=0.25)}
    assert child.model.sources == (mine.id, theirs.id)
    assert [mutation.name for mutation in child.model.mutations] == ["merge:block_0"]
    assert ref.training["b"] == other.training["b"]
    head = child.model.component("head")
    added = head.training["a"].steps - mine.model.component("head").training["a"].steps
    assert ref.training["a"].steps == own.training["a"].steps + added > own.training["a"].steps
    assert child.model.component("embedding").id == root.model.component("embedding").id
    again = evolved(bench, "a", plan_of(mine, merges=merging(lines)), system_of(lines))
    assert again == child
    shared = evolved(bench, "b", plan_of(child), system_of(lines))
    assert shared.model.component("block_0") == replace(ref, trainable=False)
    assert shared.model.merges is None


@pytest.mark.parametrize("weight", [0.25, 1.0], ids=["merged", "taken over"])
def test_trained_on_it_is_merged_with_nothing_once_more(bench: Workbench, plan_of, lines, weight: float) -> None:
    _root, mine, theirs = lines
    child = evolved(bench, "a", plan_of(mine, merges=merging(lines, weight=weight)), system_of(lines))
    source, operation = (mine, "merge") if weight < 1 else (theirs, "cross")
    ref = child.model.component("block_0")
    assert (ref.operation, ref.trainable, ref.parent) == (operation, True, source.model.component("block_0").id)
    assert child.model.merges
    onward = refit(bench.workshop("a"), child, {one.id: one.model for one in lines}.get)
    assert onward is not None
    made = onward.component("block_0")
    assert (made.operation, made.parent, onward.merges) == ("clone", ref.id, None)


def test_who_may_read_it_was_allowed_to_read_both(bench: Workbench, plan_of) -> None:
    root = bench.root()
    system = SystemBuilder().root(root).task("a").task("b", readers=["lab", "team"]).build()
    team = AccessRule.only(["lab", "team"])
    theirs = evolved(bench, "b", plan_of(root, ("block_0",), seed=2), system, access=team)
    mine = evolved(bench, "a", plan_of(root, ("block_0",)), system, access=AccessRule.only(["home", "lab"]))
    lines = root, mine, theirs
    rules = {"a": ["lab"], "b": ["lab", "team"]}
    child = evolved(bench, "a", plan_of(mine, merges=merging(lines)), system_of(lines, **rules), access=PUBLIC)
    label = bench.components[child.model.component("block_0").id].label
    assert (label.trained_by, label.readers) == (("a", "b"), ("lab",))


def test_what_its_source_may_not_be_read_of_is_not_merged(bench: Workbench, plan_of, lines) -> None:
    _, mine, _ = lines
    system = system_of(lines, b=["b"])  # made private since the plan was made
    draft = drafted(bench, plan_of(mine, merges=merging(lines)), system)
    assert layer_of(draft, "block_0").merging is None
    assert (draft.plan.merges, draft.plan.mutations) == ({}, ())


def test_layers_of_another_shape_are_not_merged_and_nothing_tells_of_it(bench: Workbench, plan_of, lines) -> None:
    root, mine, theirs = lines
    wide = {**theirs.model.architecture.config, "width": 8}
    other = replace(theirs, model=replace(theirs.model, architecture=replace(theirs.model.architecture, config=wide)))
    system = SystemBuilder().root(root).task("a", mine).task("b", other).build()
    draft = drafted(bench, plan_of(mine, merges=merging(lines)), system)
    assert layer_of(draft, "block_0").merging is None
    assert (draft.plan.merges, draft.plan.mutations) == ({}, ())


def test_a_merge_of_a_layer_that_is_removed_did_not_happen(bench: Workbench, plan_of, lines) -> None:
    _, mine, _ = lines
    draft = drafted(bench, plan_of(mine, merges=merging(lines), num_layers=0), system_of(lines))
    assert (draft.plan.merges, draft.plan.mutations) == ({}, ())


def test_a_component_of_another_shape_than_its_manifest_says_is_refused(bench: Workbench, plan_of, lines) -> None:
    _, mine, theirs = lines
    draft = drafted(bench, plan_of(mine, merges=merging(lines)), system_of(lines))
    shop = bench.workshop("a")
    oid = theirs.model.component("block_0").id
    found = bench.components[oid]
    shop.pool.add(oid, replace(found, params={name: array[:2] for name, array in found.params.items()}))
    with pytest.raises(CorruptObjectError, match=rf"Component {oid[:10]} \(block_0\): expected the arrays"):
        bring_sources(shop, draft.blueprint.layers)


def test_merging_compiles_nothing_that_a_copy_would_not(bench: Workbench, plan_of, lines) -> None:
    _, mine, _ = lines
    copied = drafted(bench, plan_of(mine, ("block_0",)), system_of(lines))
    merged = drafted(bench, plan_of(mine, merges=merging(lines)), system_of(lines))
    assert merged.alike == copied.alike
