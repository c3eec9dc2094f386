from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mu2net_core.engine.optimizer import OptimizerSettings, learning_rate_at, sgd_step

SPACE = {"learning_rate": 0.1, "warmup_ratio": 0.1, "momentum": 0.9, "nesterov": False}


def settings(total_steps: int = 100, **changed) -> OptimizerSettings:
    return OptimizerSettings.of({**SPACE, **changed}, total_steps)


def rates(total_steps: int, **changed) -> np.ndarray:
    chosen = settings(total_steps, **changed)
    return np.asarray(jax.vmap(lambda step: learning_rate_at(step, chosen))(jnp.arange(total_steps)))


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.5, 0.99])
@pytest.mark.parametrize(("clip_norm", "size"), [(1.0, 10.0), (1.0, 0.01), (0.3, 1.0)])
def test_steps_are_those_of_optax(nesterov: bool, momentum: float, clip_norm: float, size: float) -> None:
    rng = np.random.default_rng(0)
    params = {"kernel": jnp.asarray(rng.normal(size=(4, 3)), jnp.float32), "bias": jnp.ones(3)}
    chosen = settings(momentum=momentum, nesterov=nesterov)
    theirs = optax.chain(optax.clip_by_global_norm(clip_norm), optax.sgd(0.05, momentum=momentum, nesterov=nesterov))
    state, expected = theirs.init(params), params
    ours, carried = params, jax.tree.map(jnp.zeros_like, params)
    for _ in range(6):
        gradients = jax.tree.map(lambda p: jnp.asarray(size * rng.normal(size=p.shape), jnp.float32), params)
        updates, state = theirs.update(gradients, state, expected)
        expected = optax.apply_updates(expected, updates)
        ours, carried = sgd_step(ours, carried, gradients, jnp.float32(0.05), chosen, clip_norm=clip_norm)
    for name, array in expected.items():
        np.testing.assert_allclose(ours[name], array, rtol=2e-6, atol=1e-7)


def test_no_gradient_is_no_move_and_no_division_by_zero() -> None:
    params = {"bias": jnp.ones(3)}
    zeros = {"bias": jnp.zeros(3)}
    moved, momentum = sgd_step(params, zeros, zeros, jnp.float32(0.1), settings(), clip_norm=1.0)
    assert bool((moved["bias"] == 1).all())
    assert not momentum["bias"].any()


def test_what_is_not_trainable_neither_moves_nor_counts_in_the_norm() -> None:
    row = ({"kernel": jnp.ones(3)}, {"kernel": jnp.ones(3)})
    gradients = ({"kernel": jnp.full(3, jnp.inf)}, {"kernel": jnp.full(3, 2.0)})
    momentum = ({"kernel": jnp.full(3, 5.0)}, {"kernel": jnp.zeros(3)})
    options = {"rate": jnp.float32(0.1), "settings": settings(), "clip_norm": 1.0}
    flags = (jnp.array(False), jnp.array(True))
    moved, carried = sgd_step(row, momentum, gradients, **options, trainable=flags)
    alone, carried_alone = sgd_step(row[1], momentum[1], gradients[1], **options)
    assert (moved[0]["kernel"].tolist(), carried[0]["kernel"].tolist()) == ([1.0] * 3, [5.0] * 3)
    assert (moved[1]["kernel"] == alone["kernel"]).all()
    assert (carried[1]["kernel"] == carried_alone["kernel"]).all()


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
