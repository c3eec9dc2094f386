from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mu2net_core.engine.optimizer import (
    Moments,
    OptimizerSettings,
    as_stored,
    learning_rate_at,
    optimizer_step,
    recalled,
)

SPACE = {"learning_rate": 0.1, "warmup_ratio": 0.1, "momentum": 0.9, "nesterov": False}


def settings(total_steps: int = 100, **changed) -> OptimizerSettings:
    return OptimizerSettings.of({**SPACE, **changed}, total_steps)


def rates(total_steps: int, **changed) -> np.ndarray:
    chosen = settings(total_steps, **changed)
    return np.asarray(jax.vmap(lambda step: learning_rate_at(step, chosen))(jnp.arange(total_steps)))


def moments_of(row, corrections=(0.0, 0.0)) -> tuple[Moments, ...]:
    zeros = [{name: jnp.zeros_like(array) for name, array in layer.items()} for layer in row]
    return tuple(Moments(first=layer, second=layer, corrections=jnp.asarray(corrections)) for layer in zeros)


def steps_of_both(ours, remembered, theirs, chosen: OptimizerSettings, *, clip_norm: float, size: float, steps: int):
    """Yields parameters by us and by optax after each step; the rate is that of ``theirs``."""
    rng = np.random.default_rng(0)
    state, expected = theirs.init(ours), ours
    for _ in range(steps):
        gradients = jax.tree.map(lambda p: jnp.asarray(size * rng.normal(size=p.shape), jnp.float32), ours)
        updates, state = theirs.update(gradients, state, expected)
        expected = optax.apply_updates(expected, updates)
        ours, remembered = optimizer_step(
            ours, remembered, gradients, chosen.learning_rate, chosen, clip_norm=clip_norm
        )
        yield ours, expected


def layers() -> tuple[dict[str, jax.Array], ...]:
    rng = np.random.default_rng(1)

    def layer() -> dict[str, jax.Array]:
        kernels = {name: jnp.asarray(rng.normal(size=(4, 3)), jnp.float32) for name in ("kernel", "query/kernel")}
        return {**kernels, "norm/scale": jnp.ones(3), "bias": jnp.ones(3)}

    return layer(), layer()


@pytest.mark.parametrize("adaptive", [False, True], ids=["its own program", "a program for both"])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.5, 0.99])
@pytest.mark.parametrize(("clip_norm", "size"), [(1.0, 10.0), (1.0, 0.01), (0.3, 1.0)])
def test_steps_of_sgd_are_those_of_optax(
    adaptive: bool, nesterov: bool, momentum: float, clip_norm: float, size: float
) -> None:
    chosen = settings(learning_rate=0.05, momentum=momentum, nesterov=nesterov)
    theirs = optax.chain(optax.clip_by_global_norm(clip_norm), optax.sgd(0.05, momentum=momentum, nesterov=nesterov))
    row = layers()
    remembered = moments_of(row) if adaptive else jax.tree.map(jnp.zeros_like, row)
    for ours, expected in steps_of_both(row, remembered, theirs, chosen, clip_norm=clip_norm, size=size, steps=6):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7), ours, expected)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.5, 0.9)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
@pytest.mark.parametrize(("clip_norm", "size"), [(1.0, 10.0), (1.0, 0.01)])
def test_steps_of_adamw_are_those_of_optax_where_only_kernels_decay(
    nesterov: bool, beta1: float, beta2: float, weight_decay: float, clip_norm: float, size: float
) -> None:
    chosen = settings(
        optimizer="adamw",
        learning_rate=0.01,
        momentum=beta1,
        beta2=beta2,
        weight_decay=weight_decay,
        nesterov=nesterov,
    )
    kernels = lambda row: [{name: name.endswith("kernel") for name in layer} for layer in row]  # noqa: E731
    theirs = optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.adamw(
            0.01, b1=beta1, b2=beta2, weight_decay=weight_decay, nesterov=nesterov, mask=lambda row: tuple(kernels(row))
        ),
    )
    row = layers()
    for ours, expected in steps_of_both(row, moments_of(row), theirs, chosen, clip_norm=clip_norm, size=size, steps=20):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), ours, expected)


def test_weights_decay_under_sgd_too_and_nothing_but_weights() -> None:
    row = layers()
    zeros = jax.tree.map(jnp.zeros_like, row)
    chosen = settings(weight_decay=0.5)
    (first, _), _ = optimizer_step(row, zeros, zeros, jnp.float32(0.1), chosen, clip_norm=1.0)
    np.testing.assert_allclose(first["kernel"], 0.95 * row[0]["kernel"], rtol=1e-6)
    assert (first["bias"] == 1).all()
    assert (first["norm/scale"] == 1).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_no_gradient_is_no_move_and_no_division_by_zero(optimizer: str) -> None:
    row = layers()
    zeros = jax.tree.map(jnp.zeros_like, row)
    moved, after = optimizer_step(
        row, moments_of(row), zeros, jnp.float32(0.1), settings(optimizer=optimizer), clip_norm=1.0
    )
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), moved, row))
    assert not after[0].first["bias"].any()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_what_is_not_trainable_neither_moves_nor_counts_in_the_norm(optimizer: str) -> None:
    row = layers()
    twos = {name: jnp.full_like(array, 2.0) for name, array in row[1].items()}
    gradients = (jax.tree.map(lambda two: two * jnp.inf, twos), twos)
    before = moments_of(row, corrections=(0.5, 0.25))
    options = {"rate": jnp.float32(0.1), "settings": settings(optimizer=optimizer), "clip_norm": 1.0}
    flags = (jnp.array(False), jnp.array(True))
    moved, after = optimizer_step(row, before, gradients, **options, trainable=flags)
    alone, after_alone = optimizer_step(row[1:], before[1:], gradients[1:], **options)
    same = lambda a, b: jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), a, b))  # noqa: E731
    assert same((moved[0], after[0]), (row[0], before[0]))
    assert same((moved[1], after[1]), (alone[0], after_alone[0]))
    assert not same(moved[1], row[1])


@pytest.mark.parametrize("flags", [None, (np.array(True), np.array(False))], ids=["all move", "told which"])
def test_a_layer_without_arrays_takes_its_step_like_any_other(flags) -> None:
    row = (layers()[0], {})
    gradients = jax.tree.map(jnp.ones_like, row)
    options = {"rate": jnp.float32(0.1), "settings": settings(), "clip_norm": 1.0}
    moved, _ = optimizer_step(row, moments_of(row), gradients, **options, trainable=flags)
    (alone,), _ = optimizer_step(row[:1], moments_of(row[:1]), gradients[:1], **options)
    assert moved[1] == {}
    jax.tree.map(np.testing.assert_array_equal, moved[0], alone)


def test_a_mean_stays_a_mean_when_a_child_remembers_for_longer_than_its_source_did() -> None:
    row, ones = ({"bias": jnp.zeros(1)},), ({"bias": jnp.ones(1)},)
    after: tuple = moments_of(row)
    for beta2 in [0.9] * 5 + [0.999] * 5:
        chosen = settings(optimizer="adamw", momentum=0.9, beta2=beta2)
        _, after = optimizer_step(row, after, ones, jnp.float32(0.1), chosen, clip_norm=1.0)
    first, second = after[0].corrections
    np.testing.assert_allclose(after[0].first["bias"] / first, 1.0, rtol=1e-5)
    np.testing.assert_allclose(after[0].second["bias"] / second, 1.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("trained_by", "child", "adaptive", "goes_on"),
    [
        ("sgd", "sgd", False, True),
        ("sgd", "sgd", True, True),
        ("adamw", "adamw", True, True),
        ("sgd", "adamw", True, False),
        ("adamw", "sgd", True, False),
        ("adamw", "sgd", False, False),
    ],
)
def test_an_optimizer_goes_on_with_what_one_of_its_kind_kept_and_else_from_zero(
    trained_by: str, child: str, adaptive: bool, goes_on: bool
) -> None:
    ones = {"kernel": np.ones(3, np.float32)}
    both = Moments(first=ones, second={"kernel": 2 * ones["kernel"]}, corrections=np.float32([0.5, 0.25]))
    kept = as_stored(both, trained_by)
    begun = recalled(kept, child, lambda found: found or {"kernel": np.zeros(3, np.float32)}, adaptive=adaptive)
    first = begun.first if adaptive else begun
    assert first["kernel"].tolist() == [1.0 if goes_on else 0.0] * 3
    if child == "adamw":
        assert begun.second["kernel"].tolist() == [2.0 if goes_on else 0.0] * 3
        assert begun.corrections.tolist() == ([0.5, 0.25] if goes_on else [0.0, 0.0])


def test_the_rate_warms_up_linearly_to_its_peak_and_then_only_falls() -> None:
    found = rates(100, learning_rate=0.2, warmup_ratio=0.2)
    np.testing.assert_allclose(found[:20], 0.2 * np.arange(1, 21) / 20, rtol=1e-5)
    assert found.argmax() in {19, 20}
    assert (np.diff(found[20:]) < 0).all()
    assert 0 < found[-1] < 0.001 * 0.2 * 10


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    found = rates(50, learning_rate=0.2, warmup_ratio=0.0)
    assert found[0] == pytest.approx(0.2)
    assert (np.diff(found) < 0).all()


def test_after_warm_up_the_rate_is_a_cosine() -> None:
    found = rates(40, learning_rate=1.0, warmup_ratio=0.0)
    np.testing.assert_allclose(found, 0.5 * (1 + np.cos(np.pi * np.arange(40) / 40)), atol=1e-6)


@pytest.mark.parametrize("total_steps", [1, 2, 3])
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.1, 0.4, 1.0])
def test_the_shortest_trainings_have_finite_positive_rates(total_steps: int, warmup_ratio: float) -> None:
    found = rates(total_steps, warmup_ratio=warmup_ratio)
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert found.max() <= 0.1 + 1e-7


def test_settings_of_all_kinds_are_values_of_one_shape() -> None:
    one, other = settings(), settings(7, nesterov=True, learning_rate=1)
    shapes = [[(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(value)] for value in (one, other)]
    assert shapes[0] == shapes[1]
    assert float(other.nesterov) == 1.0
    assert float(other.warmup_steps) == pytest.approx(0.7)
