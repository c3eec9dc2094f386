from __future__ import annotations

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.engine.beginning import padded
from mu2net_core.engine.blueprint import num_params
from mu2net_core.errors import InternalError, InvalidInputError, NotFoundError
from mu2net_core.nn import LayerSpec, Params, VisionTransformer, family_named
from mu2net_core.nn.registry import FAMILIES
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.conformance.products import dense_flops

REFERENCE = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")) / "vit_reference"
FAMILY = family_named("vit")
TINY = {"image": 8, "patch": 4, "width": 8, "heads": 2, "mlp": 16, "channels": 3}
TI16 = {"image": 32, "patch": 16, "width": 192, "heads": 3, "mlp": 768, "channels": 3}
B16 = {"image": 32, "patch": 16, "width": 768, "heads": 12, "mlp": 3072, "channels": 3}

# Our name of a layer or parameter by the name in the public checkpoints.
LAYERS = {
    "embedding": "patch_embedding",
    "cls": "class_token/cls",
    "Transformer/posembed_input": "position_embedding",
    "Transformer/encoder_norm": "encoder_norm",
    "Transformer/encoderblock_0": "encoderblock_0",
    "Transformer/encoderblock_1": "encoderblock_1",
    "head": "head",
}
WITHIN = {
    "LayerNorm_0": "norm_attention",
    "MultiHeadDotProductAttention_1": "attention",
    "LayerNorm_2": "norm_mlp",
    "MlpBlock_3/Dense_0": "dense_0",
    "MlpBlock_3/Dense_1": "dense_1",
}


run = jax.jit(FAMILY.apply, static_argnums=0, static_argnames="above")


def model(num_layers: int, config=TINY, num_outputs: int = 3) -> tuple[LayerSpec, ...]:
    return FAMILY.layers(config, {"num_layers": num_layers}, num_outputs)


def random_row(specs: tuple[LayerSpec, ...], seed: int = 0) -> tuple[Params, ...]:
    """Returns parameters with no zeros in them, so that nothing can hide."""
    rng = np.random.default_rng(seed)
    return tuple(
        {name: jnp.asarray(rng.normal(0, 0.5, shape), jnp.float32) for name, (shape, _) in FAMILY.shapes(spec).items()}
        for spec in specs
    )


def images(count: int = 3, side: int = 8) -> jax.Array:
    return jnp.asarray(np.random.default_rng(1).uniform(-1, 1, (count, side, side, 3)), jnp.float32)


@pytest.fixture(scope="module")
def reference() -> tuple[dict[str, Params], dict[str, np.ndarray]]:
    """Returns the reference parameters by our layer names, and what the public code computes with them."""
    if not REFERENCE.is_dir():
        pytest.skip(f"no reference vectors in {REFERENCE}: set MU2NET_TEST_DATA")
    checkpoint = dict(np.load(REFERENCE / "checkpoint.npz"))
    layers: dict[str, dict[str, jax.Array]] = {}
    for key, array in checkpoint.items():
        ours = next(key.replace(theirs, name, 1) for theirs, name in LAYERS.items() if key.startswith(theirs))
        for theirs, name in WITHIN.items():
            ours = ours.replace(theirs, name)
        layer, _, parameter = ours.partition("/")
        layers.setdefault(layer, {})[parameter] = jnp.asarray(array)
    return layers, dict(np.load(REFERENCE / "expected.npz"))


REFERENCE_CONFIG = {"image": 32, "patch": 16, "width": 48, "heads": 3, "mlp": 96, "channels": 3}


def test_logits_are_those_of_the_public_implementation(reference) -> None:
    layers, expected = reference
    specs = model(2, REFERENCE_CONFIG, 7)
    assert {spec.name for spec in specs} == set(layers)
    x = jnp.asarray(expected["images"], jnp.float32) / 127.5 - 1.0
    logits = run(specs, [layers[spec.name] for spec in specs], x)
    np.testing.assert_allclose(logits, expected["logits"], rtol=1e-5, atol=1e-5)


def test_logits_at_another_size_are_those_of_the_public_implementation(reference) -> None:
    layers, expected = reference
    specs = model(2, {**REFERENCE_CONFIG, "image": 48}, 7)
    layers = {**layers, "position_embedding": {"pos_embedding": jnp.asarray(expected["resized_pos_embedding"])}}
    x = jnp.asarray(expected["resized_images"], jnp.float32) / 127.5 - 1.0
    logits = run(specs, [layers[spec.name] for spec in specs], x)
    np.testing.assert_allclose(logits, expected["resized_logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "num_layers", "published"), [(TI16, 3, 1_484_162), (B16, 12, 85_652_738)], ids=["Ti/16", "B/16"]
)
def test_models_have_the_published_number_of_parameters(config, num_layers: int, published: int) -> None:
    assert sum(num_params(FAMILY, spec) for spec in model(num_layers, config, num_outputs=2)) == published


@pytest.mark.parametrize("num_layers", [0, 1])
def test_every_layer_begins_with_finite_float32_of_the_shape_it_is_run_with(num_layers: int) -> None:
    specs = model(num_layers)
    row = [FAMILY.init(spec, np.random.default_rng(7)) for spec in specs]
    for spec, params in zip(specs, row, strict=True):
        assert all(array.dtype == np.float32 and bool(np.isfinite(array).all()) for array in params.values())
        assert sum(array.size for array in params.values()) == num_params(FAMILY, spec)
    logits = run(specs, row, images())
    assert logits.shape == (3, 3)
    # The head begins at zero, so that a new task begins with no opinion.
    assert not logits.any()


def test_the_beginning_depends_on_the_seed_alone() -> None:
    spec = model(1)[3]
    one, same, other = (FAMILY.init(spec, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(bool((one[name] == same[name]).all()) for name in one)
    assert not bool((one["dense_0/kernel"] == other["dense_0/kernel"]).all())


@pytest.mark.parametrize("num_layers", [0, 2])
def test_a_model_cut_anywhere_computes_what_the_whole_does(num_layers: int) -> None:
    specs = model(num_layers)
    row = random_row(specs)
    whole = FAMILY.apply(specs, row, images())
    for cut in range(len(specs) + 1):
        below = FAMILY.apply(specs[:cut], row[:cut], images(), above=specs[cut:])
        np.testing.assert_allclose(FAMILY.apply(specs[cut:], row[cut:], below), whole, rtol=1e-5, atol=1e-5)


def test_a_row_is_cut_at_every_block_and_at_both_ends_of_the_embedding() -> None:
    assert FAMILY.cuts(model(0)) == (0, 1, 3)
    assert FAMILY.cuts(model(1)) == (0, 1, 3, 4)
    assert FAMILY.cuts(model(3)) == (0, 1, 3, 4, 5, 6)
    with_adapters = FAMILY.slots(model(2), ("adapter",))
    assert [spec.kind for spec in with_adapters[3:]] == ["adapter", "encoder_block"] * 2 + ["encoder_norm", "head"]
    assert FAMILY.cuts(with_adapters) == (0, 1, 3, 5, 7)  # no cut parts a block from its adapter


def test_stages_are_the_embedding_each_block_and_the_end() -> None:
    assert FAMILY.stages(model(0)) == (0, 1, 3)
    assert FAMILY.stages(model(2)) == (0, 1, 3, 4, 5)
    assert FAMILY.stages(model(2)[4:]) == (0, 1)


def test_the_last_block_computes_one_token_and_the_same_function() -> None:
    specs = model(2)
    row = random_row(specs)
    tokens = jnp.asarray(np.random.default_rng(2).normal(size=(3, 5, 8)), jnp.float32)
    short = run(specs[4:5], row[4:5], tokens, above=specs[5:])
    full = run(specs[4:5], row[4:5], tokens, above=())
    assert short.shape == (3, 8)
    assert full.shape == (3, 5, 8)
    np.testing.assert_allclose(short, full[:, 0], rtol=1e-5, atol=1e-5)


def test_attention_mixes_all_tokens() -> None:
    specs = model(1)
    row = random_row(specs)
    x = images(1)
    changed = x.at[:, 4:, 4:].add(0.5)
    assert float(jnp.abs(run(specs, row, x) - run(specs, row, changed)).max()) > 1e-3


def test_only_the_class_token_is_read_so_without_blocks_no_image_is_seen() -> None:
    specs = model(0)
    row = random_row(specs)
    logits = run(specs, row, images())
    token = row[1]["cls"][0, 0] + row[2]["pos_embedding"][0, 0]
    normed = (token - token.mean()) / jnp.sqrt(token.var() + 1e-6) * row[3]["scale"] + row[3]["bias"]
    for found in logits:
        np.testing.assert_allclose(found, normed @ row[4]["kernel"] + row[4]["bias"], rtol=1e-4, atol=1e-5)


def test_patches_are_read_row_by_row() -> None:
    specs = model(0)[:1]
    kernel = jnp.zeros((4, 4, 3, 8)).at[1, 2, 0, 5].set(1.0)
    x = images(2)
    tokens = FAMILY.apply(specs, [{"kernel": kernel, "bias": jnp.zeros(8)}], x)
    corners = [x[:, top + 1, left + 2, 0] for top in (0, 4) for left in (0, 4)]
    np.testing.assert_allclose(tokens[:, :, 5], jnp.stack(corners, axis=1), rtol=1e-6)


def test_bytes_of_an_image_are_computed_with_as_numbers_from_minus_one_to_one() -> None:
    specs = model(0)[:1]
    pixels = np.random.default_rng(3).integers(0, 256, (2, 8, 8, 3), np.uint8)
    row = random_row(specs)
    numbers = pixels.astype(np.float32) / 127.5 - 1.0
    np.testing.assert_allclose(run(specs, row, pixels), run(specs, row, numbers), rtol=1e-4, atol=1e-5)


def counted(specs: tuple[LayerSpec, ...]) -> int:
    """Returns 2 per multiply-add of the dense products in what ``apply`` really does for one image."""
    shapes = [
        {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in FAMILY.shapes(spec).items()}
        for spec in specs
    ]
    return dense_flops(lambda row, x: FAMILY.apply(specs, row, x), shapes, images(1, TINY["image"]))


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_flops_are_those_of_the_products_really_computed(num_layers: int) -> None:
    specs = model(num_layers)
    assert FAMILY.flops(specs) == counted(specs)


def test_a_wider_head_and_another_block_cost_more() -> None:
    assert FAMILY.flops(model(2)) > FAMILY.flops(model(1)) > FAMILY.flops(model(0))
    assert FAMILY.flops(model(1, num_outputs=10)) > FAMILY.flops(model(1, num_outputs=2))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"patch": 3}, "image 8 must be a multiple of patch 3"), ({"heads": 3}, "width 8 of heads 3")],
)
def test_sizes_that_do_not_divide_are_refused(change, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        model(1, {**TINY, **change})


def test_an_unknown_layer_is_a_defect() -> None:
    with pytest.raises(InternalError, match="no layer of kind 'convolution'"):
        FAMILY.init(LayerSpec.of("x", "convolution", width=8), np.random.default_rng(0))


def test_specs_are_values() -> None:
    one, same = LayerSpec.of("a", "b", x=1, y=2), LayerSpec.of("a", "b", y=2, x=1)
    assert one == same
    assert hash(one) == hash(same)
    assert one.size("y") == 2
    assert one.config == {"kind": "b", "x": 1, "y": 2}


def test_families_are_found_by_name_one_object_per_process() -> None:
    assert isinstance(FAMILY, VisionTransformer)
    assert family_named("vit") is FAMILY
    with pytest.raises(NotFoundError, match="No architecture 'gpt' is installed"):
        family_named("gpt")


def test_a_family_of_another_package_is_found_through_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, FAMILIES, **{"vit-of-another": VisionTransformer})
    assert isinstance(family_named.__wrapped__("vit-of-another"), VisionTransformer)


def test_a_block_without_an_adapter_can_get_one_and_a_removed_block_loses_it() -> None:
    vit, hyperparameters = VisionTransformer(), {"num_layers": 2, "adapter_dim": 8, "adapter_0": 16}
    assert vit.structural(TINY, hyperparameters, ("adapter",)) == {"add:adapter_1": {"adapter_1": 8}}
    assert vit.structural(TINY, hyperparameters, ()) == {}
    assert vit.settled({**hyperparameters, "num_layers": 0}) == {"num_layers": 0, "adapter_dim": 8}
    assert vit.settled(hyperparameters) == hyperparameters


def grown(hyperparameters: dict[str, int], *, seed: int = 0) -> tuple[tuple[LayerSpec, ...], tuple[Params, ...]]:
    """Returns a model of two blocks with no zeros in it, changed to have other hyperparameters."""
    before = model(2)
    row = {spec.name: params for spec, params in zip(before, random_row(before), strict=True)}
    specs = FAMILY.layers(TINY, {"num_layers": 2, **hyperparameters}, 3)
    rng, changed = np.random.default_rng(seed), []
    for spec in specs:
        own = {name: np.asarray(array) for name, array in row.get(spec.name, {}).items()}
        if not own:
            own = FAMILY.init(spec, rng, identity=True)
        elif {name: shape for name, (shape, _) in FAMILY.shapes(spec).items()} != {n: a.shape for n, a in own.items()}:
            own = FAMILY.adapted(spec, own, rng)
        changed.append(own)
    return specs, tuple(changed)


STRUCTURE = {"adapter_dim": 4, "num_layers": 2}


@pytest.mark.parametrize(
    ("kind", "mutation", "exact"),
    [
        ("adapter", "add:adapter_0", True),
        ("adapter", "add:adapter_1", True),
        ("mlp", "grow:mlp_1", False),
        ("heads", "grow:heads_0", False),
        ("block", "grow:block", False),
    ],
)
def test_a_model_computes_the_same_after_its_structure_grew(kind: str, mutation: str, exact: bool) -> None:
    # An adapter adds an exact zero. The others add zeros to sums, or compute all tokens of a block that was the last
    # one: the same numbers, added up in another order.
    before = run(model(2), random_row(model(2)), images())
    sets = FAMILY.structural(TINY, STRUCTURE, (kind,))[mutation]
    specs, row = grown(dict(sets))
    assert sum(np.asarray(array).size for layer in row for array in layer.values()) > sum(
        array.size for layer in random_row(model(2)) for array in layer.values()
    )
    after = run(specs, row, images())
    if exact:
        assert np.array_equal(after, before)
    np.testing.assert_allclose(after, before, rtol=2e-5, atol=2e-5)
    # What is new is not dead: its gradients are not all zero, or will not be after one step.
    gradients = jax.grad(lambda row: jnp.sum(FAMILY.apply(specs, row, images()) ** 2))(row)
    changed = {"block": "encoderblock_2", "adapter": mutation[4:]}.get(kind, f"encoderblock_{mutation[-1]}")
    new = next(found for spec, found in zip(specs, gradients, strict=True) if spec.name == changed)
    assert float(jnp.abs(new["dense_1/kernel"]).max()) > 0


def test_growth_ends_at_four_times_what_the_architecture_says() -> None:
    large = {**STRUCTURE, "mlp_0": 4 * TINY["mlp"], "heads_0": 4 * TINY["heads"]}
    assert set(FAMILY.structural(TINY, large, ("mlp", "heads"))) == {"grow:mlp_1", "grow:heads_1"}


def test_a_grown_block_is_told_apart_by_its_config_and_keeps_its_head_size() -> None:
    (block,) = [s for s in FAMILY.layers(TINY, {"num_layers": 1, "heads_0": 3}, 3) if s.kind == "encoder_block"]
    assert block.config == {"kind": "encoder_block", "heads": 3, "head_dim": 4, "mlp": 16, "width": 8}
    assert FAMILY.shapes(block)["attention/query/kernel"] == ((8, 3, 4), "float32")


@pytest.mark.parametrize("hyperparameters", [{"adapter_0": 4}, {"mlp_0": 24}, {"heads_1": 3}], ids=str)
def test_flops_of_what_was_added_are_counted(hyperparameters: dict[str, int]) -> None:
    specs = FAMILY.layers(TINY, {"num_layers": 2, **hyperparameters}, 3)
    assert FAMILY.flops(specs) == counted(specs) > FAMILY.flops(model(2))


def test_slots_make_one_program_of_models_with_and_without_adapters_and_of_few_classes_and_more() -> None:
    kinds = ("adapter",)
    plain = FAMILY.slots(model(2), kinds)
    for dim in (8, 32, 64):
        assert FAMILY.slots(FAMILY.layers(TINY, {"num_layers": 2, "adapter_1": dim}, 16), kinds) == plain
    assert FAMILY.slots(FAMILY.layers(TINY, {"num_layers": 2, "adapter_1": 65}, 3), kinds) != plain
    assert FAMILY.slots(FAMILY.layers(TINY, {"num_layers": 2}, 17), kinds)[-1].size("classes") == 32
    assert FAMILY.slots(model(2), ())[:-1] == model(2)[:-1]


def test_a_layer_in_its_slot_computes_and_learns_what_it_does_without_and_an_empty_slot_nothing() -> None:
    own = FAMILY.layers(TINY, {"num_layers": 2, "adapter_1": 4}, 3)
    row = {spec.name: params for spec, params in zip(own, random_row(own), strict=True)}
    slots = FAMILY.slots(own, ("adapter",))
    filled = tuple(padded(row.get(spec.name, {}), spec, FAMILY) for spec in slots)
    present = jnp.array([spec.name in row for spec in slots])
    assert [spec.name for spec, there in zip(slots, present, strict=True) if not there] == ["adapter_0"]
    labels = jnp.array([0, 1, 2])

    def loss(row, specs, present=None):
        logits = FAMILY.apply(specs, row, images(), present=present)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))

    exact = tuple(row[spec.name] for spec in own)
    for there in (present, None):  # zeros pass on what they get, where whether a slot is empty is not looked at
        found, gradients = jax.value_and_grad(loss)(filled, slots, there)
        wanted, wanted_gradients = jax.value_and_grad(loss)(exact, own)
        assert float(found) == pytest.approx(float(wanted), rel=1e-5)
        kept = dict(zip([spec.name for spec in own], wanted_gradients, strict=True))
        for spec, arrays in zip(slots, gradients, strict=True):
            for name, array in arrays.items():
                beyond = np.array(array)
                if spec.name in kept:
                    inside = tuple(slice(0, size) for size in kept[spec.name][name].shape)
                    np.testing.assert_allclose(beyond[inside], kept[spec.name][name], rtol=1e-4, atol=1e-6)
                    beyond[inside] = 0.0
                passed_over = spec.name == "adapter_0" and there is None and name == "dense_1/bias"  # never trained
                assert passed_over or not beyond.any(), (spec.name, name)


def test_another_image_size_interpolates_the_positions_and_nothing_else() -> None:
    small, large = model(1), FAMILY.layers(TINY, {"num_layers": 1, "image_size": 16}, 3)
    differ = [a.name for a, b in zip(small, large, strict=True) if FAMILY.shapes(a) != FAMILY.shapes(b)]
    assert differ == ["position_embedding"]
    params = FAMILY.init(small[2], np.random.default_rng(1))
    resized = FAMILY.adapted(large[2], params, np.random.default_rng(2))["pos_embedding"]
    assert resized.shape == (1, 17, 8)
    np.testing.assert_array_equal(resized[0, 0], params["pos_embedding"][0, 0])
    corners = resized[0, 1:].reshape(4, 4, 8)[::3, ::3]
    np.testing.assert_allclose(corners, params["pos_embedding"][0, 1:].reshape(2, 2, 8), rtol=1e-6)
    assert all(a.config == b.config for a, b in zip(small, large, strict=True) if a.name != "position_embedding")


def test_bfloat16_computes_about_the_same_in_half_the_bits() -> None:
    specs = FAMILY.layers(TINY, {"num_layers": 2, "adapter_0": 4}, 3)
    row = [{name: 0.3 * array for name, array in layer.items()} for layer in random_row(specs)]
    exact = FAMILY.apply(specs, row, images())
    coarse = FAMILY.apply(specs, row, images(), precision="bfloat16")
    assert coarse.dtype == jnp.float32
    tokens = FAMILY.apply(specs[:5], row[:5], images(), precision="bfloat16")
    assert tokens.dtype == jnp.bfloat16
    error = float(jnp.abs(coarse - exact).max() / jnp.abs(exact).max())
    assert 0 < error < 0.03
