from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mu2net_core.engine.blueprint import Blueprint, draw_blueprint, lineage, num_params
from mu2net_core.engine.slots import Room, SlotRow
from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import ArchitectureFamily, VisionTransformer
from mu2net_core.objectives import Classify, Multilabel, Objective, Regress
from mu2net_core.objects import Architecture, ComponentRef, Model, Mutation
from mu2net_core.presets import PRESETS
from mu2net_core.search import ChildPlan, Member
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.systems import sample_member, sample_ref

FAMILY, PLAIN = DenseFamily(), Room()
ARCHITECTURE = Architecture(name="dense", config={"image": 2, "width": 4})


class NeverEmpty(DenseFamily):
    """A family without models of no blocks."""

    def layers(self, config, hyperparameters, num_outputs):
        if not hyperparameters["num_layers"]:
            raise InvalidInputError("There is no such model.")
        return super().layers(config, hyperparameters, num_outputs)


def made(task: str | None, num_layers: int, *, classes: int = 3, suffix: str = "", parent: str | None = None) -> Member:
    """Returns a model with the family's true sizes; its components' ids are their names and ``suffix``."""
    specs = FAMILY.layers(ARCHITECTURE.config, {"num_layers": num_layers}, classes)
    refs = [
        sample_ref(spec.name, *([task] if task else []), oid=spec.name + suffix, num_params=num_params(FAMILY, spec))
        for spec in specs
        if task is not None or spec.name != "head"
    ]
    member = sample_member(task, refs, parent=parent, hyperparameters={"num_layers": num_layers})
    return replace(member, model=replace(member.model, architecture=ARCHITECTURE))


def draw(
    plan: ChildPlan,
    *further: Member,
    task: str = "a",
    num_outputs: int = 3,
    usable: Callable[[ComponentRef], bool] = lambda ref: True,
    owned: Callable[[ComponentRef], bool] = lambda ref: False,
    room: Room = PLAIN,
    family: ArchitectureFamily = FAMILY,
) -> Blueprint:
    return draw_blueprint(
        plan,
        task=task,
        num_outputs=num_outputs,
        family=family,
        ancestors=[plan.parent.model, *(member.model for member in further)],
        usable=usable,
        owned=owned,
        room=room,
    )


def layer(blueprint: Blueprint, name: str) -> tuple[str | None, bool, str]:
    """Returns (source id, trainable, operation) of one layer."""
    found = next(layer for layer in blueprint.layers if layer.spec.name == name)
    return None if found.source is None else found.source.id, found.trainable, found.operation


ROOT = made(None, 1)
MINE, OTHERS = made("a", 1, suffix="-a"), made("b", 1, suffix="-b")


def test_what_is_not_cloned_is_shared_frozen_and_what_every_child_trains_or_the_task_owns_is_cloned(plan_of) -> None:
    blueprint = draw(plan_of(MINE))
    assert layer(blueprint, "embedding") == ("embedding-a", False, "clone")
    assert layer(blueprint, "block_0") == ("block_0-a", False, "clone")
    assert layer(blueprint, "norm") == ("norm-a", True, "clone")
    own = draw(plan_of(MINE), owned=lambda ref: ref.id == "block_0-a")
    assert layer(own, "embedding") == ("embedding-a", False, "clone")
    assert layer(own, "block_0") == ("block_0-a", True, "clone")
    cloned = draw(plan_of(ROOT, clones=("block_0",)))
    assert layer(cloned, "embedding") == ("embedding", False, "root")
    assert layer(cloned, "block_0") == ("block_0", True, "clone")


def test_a_layer_that_nobody_has_trained_yet_is_trained_whoever_inherits_it(plan_of) -> None:
    refs = tuple(replace(ref, operation="new") for ref in ROOT.model.components)
    blueprint = draw(plan_of(replace(ROOT, model=replace(ROOT.model, components=refs))))
    assert layer(blueprint, "embedding") == ("embedding", True, "clone")
    assert layer(blueprint, "block_0") == ("block_0", True, "clone")
    assert blueprint.frozen == ()
    refs = tuple(replace(ref, operation="new") for ref in OTHERS.model.components)
    blueprint = draw(plan_of(replace(OTHERS, model=replace(OTHERS.model, components=refs))))
    assert layer(blueprint, "embedding") == ("embedding-b", False, "new")


@pytest.mark.parametrize(("clones", "boundary"), [((), 2), (("block_0",), 1), (("embedding",), 0)])
def test_the_boundary_lies_just_below_the_lowest_trained_layer(plan_of, clones, boundary: int) -> None:
    assert len(draw(plan_of(ROOT, clones=clones)).frozen) == boundary


def test_the_boundary_is_one_of_the_familys_cuts(plan_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DenseFamily, "cuts", lambda self, specs: (0, 2))
    assert len(draw(plan_of(ROOT, clones=("block_0",))).frozen) == 0
    assert len(draw(plan_of(ROOT)).frozen) == 2


def test_the_head_is_cloned_from_a_parent_of_the_same_task(plan_of) -> None:
    assert layer(draw(plan_of(MINE)), "head") == ("head-a", True, "clone")


def test_the_head_of_another_task_is_never_taken(plan_of) -> None:
    assert layer(draw(plan_of(OTHERS)), "head") == (None, True, "new")


def test_with_a_parent_of_another_task_the_head_comes_from_the_nearest_ancestor_of_the_same(plan_of) -> None:
    nearest, further = made("a", 1, suffix="-near"), made("a", 1, suffix="-far")
    blueprint = draw(plan_of(OTHERS), made("c", 1, suffix="-c"), nearest, further)
    assert layer(blueprint, "head") == ("head-near", True, "clone")
    assert layer(blueprint, "norm") == ("norm-b", True, "clone")


def test_a_head_with_another_number_of_classes_does_not_fit(plan_of) -> None:
    # The task was removed and added again with more classes.
    blueprint = draw(plan_of(MINE), num_outputs=5)
    assert layer(blueprint, "head") == (None, True, "new")
    assert blueprint.specs[-1].size("outputs") == 5


def test_an_inserted_block_comes_from_the_nearest_ancestor_that_had_one_at_that_depth(plan_of) -> None:
    deep, deeper = made("b", 2, suffix="-near"), made("b", 2, suffix="-far")
    blueprint = draw(plan_of(MINE, num_layers=2), made("b", 1, suffix="-shallow"), deep, deeper)
    assert [found.spec.name for found in blueprint.layers] == ["embedding", "block_0", "block_1", "norm", "head"]
    assert layer(blueprint, "block_1") == ("block_1-near", True, "insert")
    assert len(blueprint.frozen) == 2


def test_an_inserted_block_that_no_ancestor_had_is_new(plan_of) -> None:
    blueprint = draw(plan_of(MINE, num_layers=2), ROOT)
    assert layer(blueprint, "block_1") == (None, True, "new")
    assert layer(blueprint, "norm") == ("norm-a", True, "clone")


def test_a_block_that_growth_adds_is_new_and_passes_on_what_it_gets_though_ancestors_had_one(plan_of) -> None:
    plan = replace(plan_of(MINE, num_layers=2), mutations=(Mutation(name="grow:block", before=1, after=2),))
    blueprint = draw(plan, made("b", 2, suffix="-b"), num_outputs=5)
    assert layer(blueprint, "block_1") == (None, True, "grow")
    assert [found.spec.name for found in blueprint.layers if found.identity] == ["block_1"]
    assert layer(blueprint, "head") == (None, True, "new")


def test_a_removed_block_is_the_top_one(plan_of) -> None:
    blueprint = draw(plan_of(made("a", 2, suffix="-a"), num_layers=1))
    assert [found.spec.name for found in blueprint.layers] == ["embedding", "block_0", "norm", "head"]
    assert layer(blueprint, "head") == ("head-a", True, "clone")


def test_a_component_the_task_may_not_read_is_replaced_not_inherited(plan_of) -> None:
    def usable(ref: ComponentRef) -> bool:
        return "secret" not in ref.training

    secret = made("secret", 2, suffix="-secret")
    tainted = replace(MINE.model.components[1], id="block_0-tainted", training=secret.model.components[1].training)
    refs = (MINE.model.components[0], tainted, *MINE.model.components[2:])
    parent = Member(id="x", model=replace(MINE.model, components=refs))
    blueprint = draw(plan_of(parent, num_layers=2), secret, made("b", 2, suffix="-b"), usable=usable)
    assert layer(blueprint, "block_0") == ("block_0-b", True, "insert")
    assert layer(blueprint, "block_1") == ("block_1-b", True, "insert")
    alone = draw(plan_of(parent, num_layers=2), secret, usable=usable)
    assert layer(alone, "block_0") == (None, True, "new")
    assert layer(alone, "block_1") == (None, True, "new")
    assert all("secret" not in found.source.training for found in blueprint.layers if found.source is not None)


def test_a_lineage_is_nearest_first_and_leaves_out_what_has_no_arrays_any_more() -> None:
    grandmother = made("a", 1, suffix="-1")
    mother = made("a", 1, suffix="-2", parent=grandmother.id)
    child = made("a", 1, suffix="-3", parent=mother.id)
    manifests: dict[str, Model] = {member.id: member.model for member in (grandmother, mother)}
    assert lineage(child.model, manifests, lambda oid: True) == [child.model, mother.model, grandmother.model]
    assert lineage(child.model, manifests, lambda oid: oid != mother.id) == [child.model, grandmother.model]
    del manifests[mother.id]
    assert lineage(child.model, manifests, lambda oid: True) == [child.model]


@pytest.mark.parametrize(
    ("preset", "pays"), [("vit-mini", True), ("vit-ti0", True), ("vit-ti3", True), ("vit-b", False), ("vit-l", False)]
)
def test_programs_are_shared_where_a_step_costs_less_than_a_compilation(preset: str, pays: bool) -> None:
    chosen, family = PRESETS[preset], VisionTransformer()
    specs = family.layers(chosen.architecture.config, chosen.space.defaults, 10)
    assert Room.of(chosen, family, Classify()).pays(family, specs) == pays


def names(row: SlotRow) -> list[list[str | None]]:
    """Returns of each variant the layers in its slots."""
    return [[slot.layer and slot.layer.spec.name for slot in map(row.slots.__getitem__, used)] for used in row.variants]


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_shared_row_has_room_for_the_deepest_child_and_a_childs_own_variant_has_no_empty_block(
    plan_of, depth: int
) -> None:
    plan = plan_of(made(None, depth), clones=("embedding",), num_layers=depth)
    room = Room(blocks=2)
    row = draw(plan, room=room).row
    blocks = [f"block_{k}" for k in range(depth)]
    assert [slot.spec.kind for slot in row.slots] == ["dense", "block", "block", "norm", "head"]
    assert names(row)[row.variant] == ["embedding", *blocks, "norm", "head"]
    assert len(row.variants) == 3
    assert row.shape(together=False) == draw(plan_of(ROOT, clones=("embedding",)), room=room).row.shape(together=False)


@pytest.mark.parametrize(("deepest", "blocks"), [(0, 1), (1, 1), (2, 3), (3, 3), (4, 6), (6, 6)])
def test_a_generation_has_room_for_its_deepest_child_and_some_more(deepest: int, blocks: int) -> None:
    assert Room(blocks=6).enough(deepest) == Room(blocks=blocks)
    assert Room(blocks=None).enough(deepest) == Room(blocks=None)


def test_a_row_has_no_room_for_blocks_above_all_blocks_nor_for_too_many_nor_if_it_is_deeper_already(plan_of) -> None:
    assert draw(plan_of(ROOT, clones=("embedding",)), room=Room(blocks=9)).row.variants == ((0, 1, 2, 3),)
    assert draw(plan_of(ROOT), room=Room(blocks=2)).row.variants == ((0, 1),)
    deep = plan_of(made(None, 3), clones=("embedding",), num_layers=3)
    assert draw(deep, room=Room(blocks=2)).row.variants == ((0, 1, 2, 3, 4, 5),)


def test_a_family_that_has_no_model_without_blocks_has_rows_of_one_depth(plan_of) -> None:
    plan = plan_of(ROOT, clones=("embedding",))
    assert draw(plan, room=Room(blocks=2), family=NeverEmpty()).row.variants == ((0, 1, 2, 3),)


@pytest.mark.parametrize(
    ("objective", "size"), [(Classify(), 16), (Multilabel(), 3), (Regress(mean=0.0, deviation=1.0), 3)], ids=str
)
def test_a_head_has_room_for_more_outputs_where_absent_ones_are_ignored(
    plan_of, objective: Objective, size: int
) -> None:
    mini, vit = PRESETS["vit-mini"], VisionTransformer()
    root = sample_member(None, [sample_ref("class_token")], hyperparameters={**mini.space.defaults})
    root = replace(root, model=replace(root.model, architecture=mini.architecture))
    blueprint = draw(plan_of(root), room=Room.of(mini, vit, objective), family=vit)
    assert blueprint.slots[-1].spec.size("classes") == size
    assert blueprint.specs[-1].size("classes") == 3


def vit_root() -> Member:
    """Returns a root of the smallest preset of vision transformers."""
    mini, vit = PRESETS["vit-mini"], VisionTransformer()
    specs = vit.layers(mini.architecture.config, {"num_layers": 2}, 1)[:-1]
    refs = [sample_ref(spec.name, num_params=num_params(vit, spec)) for spec in specs]
    root = sample_member(None, refs, hyperparameters={**mini.space.defaults, "num_layers": 2})
    return replace(root, model=replace(root.model, architecture=mini.architecture))


def test_a_layer_of_another_size_starts_from_the_parents_made_to_fit(plan_of) -> None:
    vit, root = VisionTransformer(), vit_root()
    assert layer(draw(plan_of(root), family=vit), "position_embedding") == ("position_embedding", False, "root")
    larger = draw(plan_of(root, image_size=2 * root.model.architecture.config["image"]), family=vit)
    assert layer(larger, "position_embedding") == ("position_embedding", True, "interpolate")
    grown = draw(plan_of(root, mlp_0=2 * root.model.architecture.config["mlp"]), family=vit)
    assert layer(grown, "encoderblock_0") == ("encoderblock_0", True, "grow")
    assert layer(grown, "encoderblock_1") == ("encoderblock_1", False, "root")


def test_children_with_and_without_changes_of_matrices_of_any_rank_share_a_program_where_there_can_be_any(
    plan_of,
) -> None:
    vit, root = VisionTransformer(), vit_root()
    room = Room(kinds=("lora",), blocks=2)
    plain = draw(plan_of(root, ("encoderblock_0",)), room=room, family=vit)
    for rank in (2, 16):
        changed = draw(plan_of(root, lora_0=rank), room=room, family=vit)
        assert changed.row.shape(together=False) == plain.row.shape(together=False)
        assert layer(changed, "lora_0") == (None, True, "new")
        assert layer(changed, "encoderblock_0") == ("encoderblock_0", False, "root")
        assert [one.spec.name for one in changed.frozen] == [one.spec.name for one in plain.frozen]
    own = draw(plan_of(root, lora_0=2), room=replace(room, batch=10**9), family=vit)
    assert own.row.is_own
    assert [slot.spec.kind for slot in own.slots] == ["lora", *["encoder_block"] * 2, "encoder_norm", "head"]


def test_where_no_matrices_can_be_changed_programs_are_those_that_they_were(plan_of) -> None:
    vit, root = VisionTransformer(), vit_root()
    row = draw(plan_of(root, ("encoderblock_0",)), room=Room(kinds=("adapter",), blocks=2), family=vit).row
    assert {slot.spec.kind for slot in row.slots} == {"adapter", "encoder_block", "encoder_norm", "head"}
    assert PRESETS["vit-mini"].space.structural == ()
    assert not any("lora" in preset.space.structural for preset in PRESETS.values())
