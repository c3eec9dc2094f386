from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mu2net_core.api.evolving.parents import ParentCheck
from mu2net_core.engine.blueprint import num_params
from mu2net_core.engine.fitting import can_give_blocks, check_adaptable, check_component, model_specs, unfit_parent
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import family_named
from mu2net_core.objects import Architecture, Component, ComponentRef, Label, Limits, Model
from mu2net_core.presets import preset_named
from mu2net_core.search import Member
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench

VIT = family_named("vit")
PRESET = preset_named("vit-mini")
SIZES = dict(PRESET.architecture.config)


def vit_model(layers: int = 1, config: dict[str, Any] | None = None, **hyperparameters: Any) -> Model:
    """Returns a root whose manifest fits ``layers`` blocks, whatever its hyperparameters say."""
    added = {name: size for name, size in hyperparameters.items() if name.startswith("adapter_")}
    specs = VIT.layers(SIZES, {"num_layers": layers, **added}, 1)
    refs = tuple(
        ComponentRef(id=f"{i:064x}", name=spec.name, num_params=1, size_bytes=1, trainable=False, operation="root")
        for i, spec in enumerate(specs)
        if spec.name != VIT.head
    )
    return Model(
        architecture=Architecture(name="vit", config=SIZES if config is None else config),
        components=refs,
        hyperparameters={"num_layers": layers, **hyperparameters},
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"num_layers": 10**9}, "num_layers: expected a whole number from 0 to 10000"),
        ({"num_layers": -1}, "num_layers: expected a whole number"),
        ({"num_layers": "1"}, "num_layers: expected a whole number"),
        ({"num_layers": True}, "num_layers: expected a whole number"),
        ({"num_layers": 2}, "are not the 6 layers"),
        ({"config": {}}, "image: expected a whole number"),
        ({"config": SIZES | {"width": 2**50}}, "width: expected a whole number"),
        ({"config": SIZES | {"heads": 0}}, "heads: expected a whole number"),
        ({"config": SIZES | {"mlp": 1.5}}, "mlp: expected a whole number"),
        ({"config": SIZES | {"image": 8_000, "patch": 1}}, "too large: activation_bytes"),
        ({"config": SIZES | {"image": 10**6}}, "too large: image_side 1000000"),
        ({"config": SIZES | {"image": "8"}}, "image: expected a whole number from 1 to 16777216, got 8"),
        ({"config": SIZES | {"image": -8}}, "image: expected a whole number from 1 to 16777216, got -8"),
        ({"config": SIZES | {"width": 6 * 2**20, "patch": 8}}, "too large"),
        ({"config": SIZES | {"patch": 3}}, "must be a multiple of patch"),
        ({"config": SIZES | {"channels": 2}}, "channels: expected 1 or 3, got 2"),
    ],
)
def test_models_that_cannot_be_built_are_refused_before_anything_is(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CorruptObjectError, match=complaint):
        model_specs(vit_model(**changes), VIT, 10)


def test_the_limits_of_what_is_built_can_be_set() -> None:
    assert len(model_specs(vit_model(2), VIT, 10)) == 6
    limits = {"layers": 5, "model_bytes": 1000, "flops": 1000, "activation_bytes": 1000, "image_side": 4}
    for name, most in limits.items():
        with pytest.raises(CorruptObjectError, match=rf"too large: {name} \d+(.|\n)*config set limits\.{name} NUMBER"):
            model_specs(vit_model(2), VIT, 10, Limits(**{name: most}))


def test_the_limits_hold_for_the_slots_that_a_model_is_run_in() -> None:
    narrow = vit_model(2, adapter_0=1, adapter_1=1)
    specs = model_specs(narrow, VIT, 10)
    stored, held = (4 * sum(num_params(VIT, spec) for spec in each) for each in (specs, map(VIT.roomy, specs)))
    assert stored < held
    assert model_specs(narrow, VIT, 10, Limits(model_bytes=held)) == specs
    with pytest.raises(CorruptObjectError, match=f"too large: model_bytes {held}"):
        model_specs(narrow, VIT, 10, Limits(model_bytes=stored))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda params: params | {"extra": np.ones(1, "f4")}, "expected the arrays"),
        (lambda params: {"kernel": params["kernel"]}, "expected the arrays"),
        (lambda params: params | {"bias": np.ones((1, 4), "f4")}, "expected the arrays"),
        (lambda params: params | {"bias": np.ones(4, "f8")}, "expected the arrays"),
        (lambda params: params | {"bias": np.ones(2**20, "f4")}, "expected the arrays"),
    ],
)
def test_arrays_that_are_not_the_layers_are_refused(bench: Workbench, change: Any, complaint: str) -> None:
    spec = bench.programs.family.layers(BENCH_PRESET.architecture.config, {"num_layers": 1}, 3)[1]
    good = {"kernel": np.ones((4, 4), "f4"), "bias": np.ones(4, "f4")}
    check_component(bench.programs.family, spec, Component(name="block_0", config=spec.config, params=good), "a" * 64)
    bad = Component(name="block_0", config=spec.config, params=change(good))
    with pytest.raises(CorruptObjectError, match=complaint):
        check_component(bench.programs.family, spec, bad, "a" * 64)
    for state, named in (
        ({"momentum/bias": np.ones(9, "f4")}, "momentum of bias"),
        ({"second_moment/kernel": np.ones((4, 4), "f8")}, "second moment of kernel"),
        ({"corrections": np.ones(3, "f4")}, "the corrections"),
    ):
        bad = Component(name="b", config=spec.config, params=good, opt_state=state)
        with pytest.raises(CorruptObjectError, match=named):
            check_component(bench.programs.family, spec, bad, "a" * 64)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"architecture": Architecture(name="\x1b[31m", config={})}, "of the architecture"),
        ({"hyperparameters": {"num_layers": 10**12}}, "layers of its architecture|too large|cannot be built"),
        ({"hyperparameters": {"num_layers": 1, "mu": 1e300}}, "no probability"),
        ({"hyperparameters": {"num_layers": 1, "mu": "often"}}, "its mu is often"),
        ({"hyperparameters": {"num_layers": 1, "learning_rate": "x" * 10**6}}, r"its learning_rate is x{300}\.\.\."),
        ({"hyperparameters": {"num_layers": 1, "nesterov": 5}}, "its nesterov is 5"),
        ({"hyperparameters": {"num_layers": 1, "optimizer": "lion"}}, "its optimizer is lion"),
        ({"hyperparameters": {"num_layers": 1, "optimizer": 5}}, "its optimizer is 5"),
        ({"hyperparameters": {"num_layers": 1, "beta2": 1.0}}, "its beta2 is 1"),
        ({"hyperparameters": {"num_layers": 1, "beta2": "x"}}, "its beta2 is x"),
        ({"hyperparameters": {"num_layers": 1, "weight_decay": -1.0}}, "its weight_decay is -1"),
        ({"hyperparameters": {"num_layers": 1, "label_smoothing": 2.0}}, "its label_smoothing is 2"),
        ({"hyperparameters": {}}, "cannot be built"),
    ],
)
def test_models_that_cannot_be_parents_are_known_by_their_manifest(
    bench: Workbench, change: dict[str, Any], complaint: str
) -> None:
    root, family, space = bench.root().model, bench.programs.family, BENCH_PRESET.space
    assert unfit_parent(root, family, space, 3) is None
    if change.get("hyperparameters", {}).get("num_layers") == 10**12:
        change = {"hyperparameters": {"num_layers": 2}}  # the bench's family believes any number
    reason = unfit_parent(replace(root, **change), family, space, 3)
    assert reason is not None
    assert re.search(complaint, reason)


@pytest.mark.parametrize("more", [{}, {"adapter_0": 8}])
def test_a_model_from_before_a_hyperparameter_or_with_structure_of_its_own_is_a_parent(more: dict[str, Any]) -> None:
    preset = preset_named("vit-ti3")
    hyperparameters = {"mu": 0.1, "num_layers": 1, **more}
    specs = [spec for spec in VIT.layers(preset.architecture.config, hyperparameters, 1) if spec.name != VIT.head]
    refs = tuple(
        ComponentRef(
            id=f"{i:064x}",
            name=spec.name,
            num_params=num_params(VIT, spec),
            size_bytes=1,
            trainable=False,
            operation="root",
        )
        for i, spec in enumerate(specs)
    )
    model = Model(architecture=preset.architecture, components=refs, hyperparameters=hyperparameters)
    assert unfit_parent(model, VIT, preset.space, 10) is None


def parent_check(bench: Workbench, context: Any, label_of: Any) -> ParentCheck:
    family = bench.programs.family
    return ParentCheck(context=context, preset=BENCH_PRESET, family=family, limits=Limits(), label_of=label_of)


def test_a_parent_whose_sizes_are_lies_is_left_out_and_named_once(bench: Workbench, context: Any) -> None:
    root = bench.root()
    lies = tuple(replace(ref, num_params=ref.num_params + 1) for ref in root.model.components)
    evil = Member(id="e" * 64, model=replace(root.model, components=lies))
    warnings: list[str] = []
    system = SystemBuilder().root(root).root(evil).task("a").build()
    check = parent_check(bench, replace(context, warn=warnings.append), lambda _: None)
    for _ in range(2):
        assert set(check.of(system, "a").roots) == {root.id}
    assert len(warnings) == 1
    assert "the root eeeeeeeeee is not used as a parent: its embedding has" in warnings[0]


def test_a_parent_that_hides_who_trained_it_is_left_out_as_soon_as_its_components_are_here(
    bench: Workbench, context: Any
) -> None:
    root = bench.root()
    forged = tuple(replace(ref, id=f"{place:064x}") for place, ref in enumerate(root.model.components))
    evil = Member(id="e" * 64, model=replace(root.model, components=forged))
    warnings: list[str] = []
    system = SystemBuilder().root(root).root(evil).task("a").build()
    label = Label(trained_by=("secret",), readers=("secret",))
    check = parent_check(bench, replace(context, warn=warnings.append), {forged[0].id: label}.get)
    assert set(check.of(system, "a").roots) == {root.id}
    assert "is not used as a parent: it hides that data of secret trained its embedding" in warnings[0]


def test_only_a_component_of_the_same_layer_is_made_to_fit() -> None:
    small, large = (VIT.layers({**SIZES, "image": side}, {"num_layers": 1}, 3)[2] for side in (8, 16))
    good = VIT.init(small, np.random.default_rng(0))
    check_adaptable(VIT, large, Component(name=small.name, config=small.config, params=good), "a" * 64)
    for wrong in (
        Component(name=small.name, config={"kind": "head"}, params=good),
        Component(name=small.name, config=small.config, params={"pos_embedding": good["pos_embedding"][0]}),
        Component(name=small.name, config=small.config, params={"cls": good["pos_embedding"]}),
        Component(name=small.name, config=small.config, params={"pos_embedding": good["pos_embedding"].astype("f8")}),
    ):
        with pytest.raises(CorruptObjectError, match="expected a position_embedding with arrays of"):
            check_adaptable(VIT, large, wrong, "a" * 64)
    other = Component(name="head", config={"kind": "head"}, params={"bias": np.zeros(3, "f4")})
    with pytest.raises(CorruptObjectError) as refused:
        check_adaptable(VIT, large, other, "a" * 64)
    assert refused.value.message == (
        "Component aaaaaaaaaa (position_embedding): expected a position_embedding with arrays of "
        "{'pos_embedding': (3, 'float32')} dimensions, found head with {'bias': (1, 'float32')}."
    )


TI0 = preset_named("vit-ti0")


def root_of(config: dict[str, Any], **hyperparameters: Any) -> Model:
    """Returns a root without blocks whose manifest is right for ``config``."""
    values = {**TI0.space.defaults, **hyperparameters}
    refs = tuple(
        ComponentRef(
            id=f"{i:064x}", name=s.name, num_params=num_params(VIT, s), size_bytes=1, trainable=False, operation="root"
        )
        for i, s in enumerate(VIT.layers(config, values, 1))
        if s.name != VIT.head
    )
    return Model(architecture=Architecture(name="vit", config=config), components=refs, hyperparameters=values)


@pytest.mark.parametrize(
    ("config", "hyperparameters", "complaint"),
    [
        ({"patch": 24, "image": 48}, {"image_size": 48}, "image 16 must be a multiple of patch 24"),
        ({"mlp": "x"}, {}, "mlp: expected a whole number"),
        ({"mlp": 2**24, "width": 3 * 2**12}, {}, "too large: "),
        ({}, {"adapter_dim": 2**24}, "adapter_0: expected a whole number from 1 to 768, got 16777216"),
        ({}, {"mlp_1": 2**20}, "structure of layers that it does not have"),
        ({}, {"crop_area_min": 7.0}, "crop_area_min"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_parent_whose_children_could_not_be_built_is_none(
    config: dict[str, Any], hyperparameters: dict[str, Any], complaint: str
) -> None:
    sizes = dict(TI0.architecture.config)
    assert unfit_parent(root_of(sizes), VIT, TI0.space, 1) is None
    reason = unfit_parent(root_of({**sizes, **config}, **hyperparameters), VIT, TI0.space, 1)
    assert reason is not None
    assert complaint in reason


def test_blocks_are_given_to_models_that_have_their_kind_and_their_width() -> None:
    sizes = dict(TI0.architecture.config)
    donor, texts = root_of(sizes, num_layers=2), family_named("bytes")
    assert can_give_blocks(donor, texts, sizes["width"], 1)
    assert not can_give_blocks(donor, texts, sizes["width"] + 1, 1)
    assert not can_give_blocks(root_of(sizes), texts, sizes["width"], 1), "it has no block"
    assert not can_give_blocks(donor, DenseFamily(), sizes["width"], 1), "it has no such kind"


def test_nobody_takes_blocks_of_what_cannot_be_built() -> None:
    sizes = dict(TI0.architecture.config)
    donor, texts = root_of(sizes, num_layers=2), family_named("bytes")
    lies = tuple(replace(ref, num_params=ref.num_params + 1) for ref in donor.components)
    assert not can_give_blocks(replace(donor, components=lies), texts, sizes["width"], 1)
    assert not can_give_blocks(replace(donor, components=donor.components[1:]), texts, sizes["width"], 1)
    assert not can_give_blocks(donor, texts, sizes["width"], 1, Limits(layers=1))
    unknown = replace(donor, architecture=Architecture(name="unknown", config=sizes))
    assert not can_give_blocks(unknown, texts, sizes["width"], 1)


def test_the_limits_of_parents_can_be_set() -> None:
    root = root_of(dict(TI0.architecture.config))
    reason = unfit_parent(root, VIT, TI0.space, 1, Limits(layers=2))
    assert reason is not None
    assert reason.startswith("The model is too large: layers ")


def test_the_largest_children_of_a_parent_have_to_be_within_the_limits() -> None:
    sizes = dict(TI0.architecture.config)
    deepest = {"num_layers": 3, **{f"adapter_{block}": TI0.space.defaults["adapter_dim"] for block in range(3)}}
    layers = len(VIT.layers(sizes, {**TI0.space.defaults, **deepest}, 1))
    assert unfit_parent(root_of(sizes), VIT, TI0.space, 1, Limits(layers=layers)) is None
    reason = unfit_parent(root_of(sizes), VIT, TI0.space, 1, Limits(layers=layers - 1))
    assert reason is not None
    assert f"layers {layers}, over the limit" in reason


def test_a_space_in_which_neither_depth_nor_size_moves_has_parents_too() -> None:
    root, moving = root_of(dict(TI0.architecture.config)), ("num_layers", "image_size")
    values, defaults = (
        {name: one for name, one in some.items() if name not in moving}
        for some in (TI0.space.values, TI0.space.defaults)
    )
    model = replace(root, hyperparameters={**TI0.space.defaults, **root.hyperparameters})
    assert unfit_parent(model, VIT, replace(TI0.space, values=values, defaults=defaults), 1) is None


@pytest.mark.parametrize(("mu", "is_fit"), [(0.0, True), (1.0, True), (1.5, False), (-0.1, False)])
def test_a_rate_of_mutations_is_a_probability(bench: Workbench, mu: float, *, is_fit: bool) -> None:
    root = bench.root().model
    model = replace(root, hyperparameters={**root.hyperparameters, "mu": mu})
    assert (unfit_parent(model, bench.programs.family, BENCH_PRESET.space, 3) is None) is is_fit


def test_a_model_of_a_task_is_a_parent_and_gives_blocks() -> None:
    sizes, outputs = dict(TI0.architecture.config), 10
    root = root_of(sizes, num_layers=2)
    head = VIT.layers(sizes, root.hyperparameters, outputs)[-1]
    own = replace(root.components[0], id="f" * 64, name=head.name, num_params=num_params(VIT, head))
    model = replace(root, task="b", parent="0" * 64, components=(*root.components, own))
    assert unfit_parent(model, VIT, TI0.space, outputs) is None
    assert can_give_blocks(model, family_named("bytes"), sizes["width"], outputs)
