from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import ConvNet, LayerSpec, Params, VisionTransformer, family_named
from mu2net_core.nn.kinds.convolution import convolved
from mu2net_core.nn.kinds.depthwise import depthwise, depthwise_flops
from mu2net_core.testing.conformance.products import dense_flops

FAMILY = family_named("convnet")
TINY = {"image": 12, "patch": 4, "stem": 4, "conv_width": 4, "width": 8, "heads": 2, "mlp": 16, "channels": 3}
PLAIN = {"num_layers": 2, "num_residual_blocks": 1}

run = jax.jit(FAMILY.apply, static_argnums=0)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def xla_convolution(x: np.ndarray, kernel: np.ndarray, *, stride: int = 1, groups: int = 1) -> jax.Array:
    names = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=names, feature_group_count=groups
    )


def model(config=TINY, num_outputs: int = 3, **hyperparameters: int) -> tuple[LayerSpec, ...]:
    return FAMILY.layers(config, {**PLAIN, **hyperparameters}, num_outputs)


def row_of(specs: tuple[LayerSpec, ...]) -> tuple[Params, ...]:
    """Returns parameters with no zeros in them, so that nothing can hide."""
    rng = np.random.default_rng(0)
    return tuple(
        {name: jnp.asarray(rng.normal(0, 0.5, shape), jnp.float32) for name, (shape, _) in FAMILY.shapes(spec).items()}
        for spec in specs
    )


def images(count: int = 3, side: int = 12, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, side, side, channels), np.uint8)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (4, 1), (4, 2), (4, 4)])
@pytest.mark.parametrize("side", [8, 7])
def test_a_product_of_what_a_kernel_sees_is_the_convolution(side: int, kernel: int, stride: int) -> None:
    x, weights = numbers(2, side, side, 3), numbers(kernel, kernel, 3, 5, seed=1)
    expected = xla_convolution(x, weights, stride=stride)
    np.testing.assert_allclose(convolved(x, weights, stride), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("side", [1, 2, 5, 9, 11])
def test_toeplitz_products_are_the_convolution_of_each_channel(side: int, kernel: int) -> None:
    x, weights = numbers(2, side, side, 3), numbers(kernel, kernel, 3, seed=1)
    expected = xla_convolution(x, weights[:, :, None, :], groups=3)
    np.testing.assert_allclose(depthwise(x, weights), expected, rtol=1e-4, atol=1e-4)
    assert depthwise_flops(side, kernel, 3) == dense_flops(depthwise, x[:1], weights)


def test_training_computes_no_convolution_that_is_slow_within_a_loop() -> None:
    specs = model(attention_1=2)
    loss = lambda row, x: jnp.sum(FAMILY.apply(specs, row, x) ** 2)  # noqa: E731
    assert "conv_general_dilated" not in str(jax.make_jaxpr(jax.grad(loss))(row_of(specs), images()))


def test_the_second_stage_takes_blocks_of_both_kinds_in_any_order() -> None:
    specs = model(num_layers=3, num_residual_blocks=2, attention_1=2)
    assert [spec.name for spec in specs] == [
        "conv_stem",
        "position_embedding",
        "residualblock_0",
        "residualblock_1",
        "downsampling",
        "convnextblock_0",
        "encoderblock_1",
        "convnextblock_2",
        "pooling",
        "head",
    ]
    assert run(specs, row_of(specs), images()).shape == (3, 3)


def test_its_encoder_blocks_are_those_of_a_vision_transformer_of_that_width() -> None:
    vit = VisionTransformer().layers({**TINY, "image": 8}, {"num_layers": 1}, 3)
    (theirs,) = (spec for spec in vit if spec.kind == "encoder_block")
    (ours,) = (spec for spec in model(num_layers=1, attention_0=2) if spec.kind == "encoder_block")
    assert (ours.name, ours.config) == (theirs.name, theirs.config)


def test_a_model_without_blocks_still_sees_the_image() -> None:
    specs = model(num_layers=0, num_residual_blocks=0)
    row = row_of(specs)
    one, other = images(1), images(1)
    other[0, 5, 5] ^= 255
    assert not np.allclose(run(specs, row, one), run(specs, row, other))


@pytest.mark.parametrize(
    ("image", "patch", "tokens", "left"),
    [(8, 1, 64, 16), (16, 2, 64, 16), (28, 4, 49, 16), (32, 4, 64, 16), (64, 8, 64, 16), (224, 16, 196, 49)],
)
def test_a_stem_fits_images_of_every_size(image: int, patch: int, tokens: int, left: int) -> None:
    config = {**TINY, "image": image, "patch": patch, "channels": 1}
    specs = model(config, num_layers=0)
    flows = {spec.name: spec.size("tokens", 0) for spec in specs}
    assert (flows["residualblock_0"], flows["pooling"]) == (tokens, left)
    assert FAMILY.input(config, PLAIN).shape == (image, image, 1)
    made = jax.eval_shape(lambda row, x: FAMILY.apply(specs, row, x), row_of(specs), images(2, image, 1))
    assert made.shape == (2, 3)


def test_what_it_makes_of_an_example_depends_on_no_other() -> None:
    specs, some = model(attention_1=2), images()
    row = row_of(specs)
    alone, together = run(specs, row, some[:1]), run(specs, row, some)
    np.testing.assert_allclose(together[:1], alone, rtol=1e-5, atol=1e-5)


CHANGES = pytest.mark.parametrize("change", [lambda x: x // 2, lambda x: x // 2 + 100], ids=["fainter", "lighter"])


def stem(light: tuple[float, float] = (0, 0)) -> tuple[tuple[LayerSpec, ...], tuple[Params, ...]]:
    """Returns a new stem, and its parameters once it has learned so much of an image's mean and deviation."""
    specs = model(num_layers=0)[:1]
    params = FAMILY.init(specs[0], np.random.default_rng(0))
    learned = np.repeat(np.float32(light)[:, None], 4, axis=1)
    return specs, ({**params, "light/kernel": params["light/kernel"] + learned},)


@CHANGES
def test_brightness_and_contrast_of_a_whole_image_change_nearly_nothing_of_what_a_new_model_sees(change) -> None:
    specs, row = stem()
    some = 2 * (images() // 2)
    np.testing.assert_allclose(run(specs, row, change(some)), run(specs, row, some), atol=0.02)
    blank = run(specs, row, np.full((1, 12, 12, 3), 7, np.uint8))
    assert bool(jnp.isfinite(blank).all())


@CHANGES
def test_a_model_can_learn_that_brightness_or_contrast_of_a_whole_image_matters(change) -> None:
    specs, row = stem(light=(0.5, 0.25))
    some = 2 * (images() // 2)
    assert float(jnp.abs(run(specs, row, change(some)) - run(specs, row, some)).max()) > 0.1


def test_grey_images_without_anything_on_them_are_told_apart_by_a_gradient_from_the_first_step_on() -> None:
    specs, row = stem()
    grey = np.stack([np.full((12, 12, 3), shade, np.uint8) for shade in (70, 170)])

    def apart(params: Params) -> jax.Array:
        dark, light = FAMILY.apply(specs, (params,), grey)
        return jnp.mean(light - dark)

    value, slope = jax.value_and_grad(apart)(dict(row[0]))
    assert abs(float(value)) < 0.02
    assert float(jnp.abs(slope["light/kernel"]).max()) > 0.1


def test_what_a_head_gets_differs_between_examples_as_much_as_tokens_do() -> None:
    spec = next(spec for spec in model({**TINY, "width": 64}) if spec.name == "pooling")
    tokens = numbers(32, *FAMILY.kind(spec).takes(spec))
    pooled = run((spec,), (FAMILY.init(spec, np.random.default_rng(0)),), tokens)
    assert float(jnp.std(pooled, axis=0).mean()) > 0.5


def test_another_size_of_image_interpolates_positions_and_nothing_else() -> None:
    small, large = model(), model(image_size=20)
    differ = [one.name for one, other in zip(small, large, strict=True) if FAMILY.shapes(one) != FAMILY.shapes(other)]
    assert differ == ["position_embedding"]
    before = FAMILY.init(small[1], np.random.default_rng(1))
    after = FAMILY.adapted(large[1], before, np.random.default_rng(2))["pos_embedding"].reshape(5, 5, -1)
    np.testing.assert_allclose(after[::4, ::4], before["pos_embedding"].reshape(3, 3, -1)[::2, ::2], rtol=1e-6)


def test_changes_of_structure_are_blocks_of_each_kind_adapters_and_growth() -> None:
    own = {**PLAIN, "attention_1": 2, "adapter_0": 4, "adapter_dim": 8}
    assert FAMILY.structural(TINY, own, ("block",)) == {
        "grow:block": {"num_layers": 3},
        "grow:attention": {"attention_2": 2, "num_layers": 3},
        "grow:residual": {"num_residual_blocks": 2},
    }
    adapters = {"add:adapter_1": {"adapter_1": 8}, "add:residual_adapter_0": {"residual_adapter_0": 8}}
    assert FAMILY.structural(TINY, own, ("adapter",)) == adapters
    growth = FAMILY.structural(TINY, {**own, "mlp_0": 64}, ("heads", "mlp"))
    assert growth == {"grow:mlp_1": {"mlp_1": 24}, "grow:heads_1": {"attention_1": 3}}


@pytest.mark.parametrize(
    ("mutation", "own", "layer"),
    [
        ("grow:block", {"num_layers": 3}, "convnextblock_2"),
        ("grow:attention", {"num_layers": 3, "attention_2": 2}, "encoderblock_2"),
        ("grow:block", {"num_layers": 3, "attention_2": 2}, "encoderblock_2"),
        ("grow:residual", {"num_layers": 3, "num_residual_blocks": 2}, "residualblock_1"),
        ("add:residual_adapter_0", {"num_layers": 3}, "residual_adapter_0"),
        ("grow:heads_1", {"num_layers": 3, "attention_1": 3}, None),
    ],
)
def test_it_says_which_layer_a_change_added(mutation: str, own: dict[str, int], layer: str | None) -> None:
    assert FAMILY.added(mutation, own) == layer


def test_a_block_that_is_dropped_takes_its_structure_along() -> None:
    own = {"num_layers": 2, "num_residual_blocks": 1, "adapter_1": 4, "attention_1": 2, "mlp_1": 24, "mlp_0": 24}
    own |= {"residual_adapter_0": 4}
    assert FAMILY.settled(own) == own
    assert FAMILY.settled({**own, "num_layers": 1, "num_residual_blocks": 0}) == {
        "num_layers": 1,
        "num_residual_blocks": 0,
        "mlp_0": 24,
    }


def test_adapters_have_slots_before_blocks_of_both_stages() -> None:
    slots = FAMILY.slots(model(attention_1=2), ("adapter",))
    assert [spec.name for spec in slots if spec.kind == "adapter"] == ["residual_adapter_0", "adapter_0", "adapter_1"]
    own = model(attention_1=2, adapter_1=16, residual_adapter_0=4)
    assert FAMILY.slots(own, ("adapter",)) == slots
    assert [spec.name for spec in own if spec.kind == "adapter"] == ["residual_adapter_0", "adapter_1"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"patch": 5}, "image 12 must be a multiple of patch 5"),
        ({"heads": 3}, "width 8 of heads 3"),
        ({"stem": 0}, "ConvNet: stem: expected a whole number from 1"),
        ({"channels": 2}, "ConvNet: channels: expected 1 or 3, got 2"),
    ],
)
def test_sizes_of_no_model_are_refused(change: dict[str, int], complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        model({**TINY, **change})


def test_a_patch_that_no_strides_make_is_refused_before_anything_is_made_of_it() -> None:
    with pytest.raises(InvalidInputError, match="patch: expected one of 1, 2, 4, 8, 16, got 3"):
        model({**TINY, "patch": 3})


def test_it_is_one_object_by_its_name() -> None:
    assert isinstance(FAMILY, ConvNet)
    assert family_named("convnet") is FAMILY
