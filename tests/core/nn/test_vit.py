from __future__ import annotations

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.engine.blueprint import num_params
from mu2net_core.errors import InternalError, InvalidInputError, NotFoundError
from mu2net_core.nn import LayerSpec, Params, VisionTransformer, family_named

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


def model(num_layers: int, config=TINY, num_classes: int = 3) -> tuple[LayerSpec, ...]:
    return FAMILY.layers(config, {"num_layers": num_layers}, num_classes)


def random_row(specs: tuple[LayerSpec, ...], seed: int = 0) -> tuple[Params, ...]:
    """Returns parameters with no zeros in them, so that nothing can hide."""
    rng = np.random.default_rng(seed)
    shapes = [jax.eval_shape(lambda key, s=spec: dict(FAMILY.init(s, key)), jax.random.key(0)) for spec in specs]
    return tuple(
        {name: jnp.asarray(rng.normal(0, 0.5, shape.shape), jnp.float32) for name, shape in layer.items()}
        for layer in shapes
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
    assert sum(num_params(FAMILY, spec) for spec in model(num_layers, config, num_classes=2)) == published


@pytest.mark.parametrize("num_layers", [0, 1])
def test_every_layer_begins_with_finite_float32_of_the_shape_it_is_run_with(num_layers: int) -> None:
    specs = model(num_layers)
    row = [FAMILY.init(spec, jax.random.key(7)) for spec in specs]
    for spec, params in zip(specs, row, strict=True):
        assert all(array.dtype == jnp.float32 and bool(jnp.isfinite(array).all()) for array in params.values())
        assert sum(array.size for array in params.values()) == num_params(FAMILY, spec)
    logits = run(specs, row, images())
    assert logits.shape == (3, 3)
    # The head begins at zero, so that a new task begins with no opinion.
    assert not logits.any()


def test_the_beginning_depends_on_the_key_alone() -> None:
    spec = model(1)[3]
    one, same, other = (FAMILY.init(spec, jax.random.key(seed)) for seed in (1, 1, 2))
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


def test_cuts_are_few_start_at_zero_and_end_at_the_norm() -> None:
    assert FAMILY.cuts(model(0)) == (0, 3)
    assert FAMILY.cuts(model(1)) == (0, 3, 4)
    assert FAMILY.cuts(model(3)) == (0, 3, 6)
    assert FAMILY.cuts(model(12)) == (0, 3, 7, 11, 15)


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


def counted(specs: tuple[LayerSpec, ...]) -> int:
    """Returns 2 per multiply-add of the dense products in what ``apply`` really does for one image."""
    shapes = [jax.eval_shape(lambda key, s=spec: dict(FAMILY.init(s, key)), jax.random.key(0)) for spec in specs]
    jaxpr = jax.make_jaxpr(lambda row, x: FAMILY.apply(specs, row, x))(shapes, images(1, TINY["image"]))
    return _products(jaxpr.jaxpr)


def _products(jaxpr) -> int:
    total = 0
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            total += _products(inner) if hasattr(inner, "eqns") else 0
        if equation.primitive.name == "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            depth = np.prod([shape[axis] for axis in contracted], dtype=int)
            total += 2 * int(depth) * int(np.prod(equation.outvars[0].aval.shape, dtype=int))
    return total


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_flops_are_those_of_the_products_really_computed(num_layers: int) -> None:
    specs = model(num_layers)
    assert FAMILY.flops(specs) == counted(specs)


def test_a_wider_head_and_another_block_cost_more() -> None:
    assert FAMILY.flops(model(2)) > FAMILY.flops(model(1)) > FAMILY.flops(model(0))
    assert FAMILY.flops(model(1, num_classes=10)) > FAMILY.flops(model(1, num_classes=2))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"patch": 3}, "image 8 must be a multiple of patch 3"), ({"heads": 3}, "width 8 of heads 3")],
)
def test_sizes_that_do_not_divide_are_refused(change, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        model(1, {**TINY, **change})


def test_an_unknown_layer_is_a_defect() -> None:
    with pytest.raises(InternalError, match="no layer of kind 'adapter'"):
        FAMILY.init(LayerSpec.of("x", "adapter", width=8), jax.random.key(0))


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
    class Entry:
        def load(self) -> type:
            return VisionTransformer

    monkeypatch.setattr("mu2net_core.nn.registry.entry_points", lambda group, name: [Entry()])
    monkeypatch.setattr("mu2net_core.nn.registry.family_named", family_named.__wrapped__)
    assert isinstance(family_named.__wrapped__("vit-of-another"), VisionTransformer)


def test_a_block_without_an_adapter_can_get_one_and_a_removed_block_loses_it() -> None:
    vit, hyperparameters = VisionTransformer(), {"num_layers": 2, "adapter_dim": 8, "adapter_0": 16}
    assert vit.structural({}, hyperparameters, ("adapter",)) == {"add:adapter_1": {"adapter_1": 8}}
    assert vit.structural({}, hyperparameters, ()) == {}
    assert vit.settled({**hyperparameters, "num_layers": 0}) == {"num_layers": 0, "adapter_dim": 8}
    assert vit.settled(hyperparameters) == hyperparameters
