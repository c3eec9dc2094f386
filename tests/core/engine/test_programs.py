from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mu2net_core.engine.child import key_of
from mu2net_core.engine.optimizer import OptimizerSettings, learning_rate_at
from mu2net_core.engine.programs import EVALUATION_BATCH, Programs
from mu2net_core.nn import LayerSpec
from mu2net_core.testing.workbench import DenseFamily, Workbench, coloured_images

CONFIG = {"image": 2, "width": 4}
TRAIN, VALIDATION = coloured_images(48, 3, seed=1), coloured_images(30, 3, seed=2)
CHOSEN = {"learning_rate": 0.2, "warmup_ratio": 0.1, "momentum": 0.9, "nesterov": True}
STEPS, BATCH = 3, 16


def specs_of(programs: Programs, num_layers: int = 1) -> tuple[LayerSpec, ...]:
    return programs.family.layers(CONFIG, {"num_layers": num_layers}, 3)


def start(programs: Programs, specs: tuple[LayerSpec, ...]):
    row = tuple(programs.init(spec, key_of(index)) for index, spec in enumerate(specs))
    return row, jax.tree.map(jnp.zeros_like, row), jnp.int32(0)


def cycle(programs: Programs, state, trainable, *, key: int = 5, train=TRAIN, specs=None, **changed):
    settings = OptimizerSettings.of({**CHOSEN, **changed}, 2 * STEPS)
    return programs.train_cycle(
        specs or specs_of(programs), state, settings, jnp.asarray(trainable), train, VALIDATION, key_of(key),
        steps=STEPS, batch=BATCH, clip_norm=1.0,
    )  # fmt: skip


def same(one, other) -> bool:
    return all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), one, other)))


@pytest.mark.parametrize("trained", [(0, 1, 2, 3), (3,), (1, 3)], ids=str)
def test_a_cycle_is_what_optax_makes_of_the_trained_layers_step_by_step(bench: Workbench, trained) -> None:
    programs = bench.programs
    specs = specs_of(programs)
    row, momentum, done = start(programs, specs)
    row = ({**row[0], "kernel": 5 * row[0]["kernel"]}, *row[1:])  # large gradients, so that clipping matters
    settings = OptimizerSettings.of(CHOSEN, 2 * STEPS)
    theirs = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.sgd(lambda step: learning_rate_at(step, settings), momentum=0.9, nesterov=True),
    )
    moving = {index: row[index] for index in trained}
    optimizer = theirs.init(moving)

    def logits_of(moving, images):
        layers = [moving.get(index, layer) for index, layer in enumerate(row)]
        return programs.family.apply(specs, layers, images.astype(jnp.float32) / 127.5 - 1)

    def loss_of(moving, chosen):
        logits = logits_of(moving, TRAIN[0][chosen])
        return optax.softmax_cross_entropy_with_integer_labels(logits, TRAIN[1][chosen]).mean()

    state = (row, momentum, done)
    for number in range(2):
        losses = []
        for chosen in jax.random.permutation(key_of(number), 48).reshape(STEPS, BATCH):
            loss, gradients = jax.value_and_grad(loss_of)(moving, chosen)
            updates, optimizer = theirs.update(gradients, optimizer, moving)
            moving = optax.apply_updates(moving, updates)
            losses.append(float(loss))
        state, mean_loss, correct = cycle(programs, state, [index in trained for index in range(4)], key=number)
        assert float(mean_loss) == pytest.approx(np.mean(losses), rel=1e-4)
    for index, layer in moving.items():
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), state[0][index], layer)
    assert int(correct) == int((logits_of(moving, VALIDATION[0]).argmax(axis=1) == VALIDATION[1]).sum())
    assert int(state[2]) == 2 * STEPS


@pytest.mark.parametrize("frozen", [(), (0,), (1,), (0, 2), (0, 1, 2, 3)], ids=str)
def test_frozen_layers_are_bit_identical_and_the_others_are_trained(bench: Workbench, frozen) -> None:
    specs = specs_of(bench.programs)
    row, momentum, done = start(bench.programs, specs)
    row = (*row[:3], {name: array + 0.1 for name, array in row[3].items()})
    trained, carried, _ = cycle(bench.programs, (row, momentum, done), [i not in frozen for i in range(4)])[0]
    for index in range(4):
        assert same(trained[index], row[index]) == (index in frozen)
        assert same(carried[index], momentum[index]) == (index in frozen)


def test_a_frozen_layer_survives_a_divergence_above_it(bench: Workbench) -> None:
    state = start(bench.programs, specs_of(bench.programs))
    (row, _, _), loss, _ = cycle(bench.programs, state, [False, True, True, True], learning_rate=1e38)
    assert not np.isfinite(float(loss))
    assert same(row[0], state[0][0])


def test_the_last_steps_divergence_shows_in_the_loss(bench: Workbench) -> None:
    # One step: its loss comes before the damage, and every later argmax of NaN would be class 0.
    specs = specs_of(bench.programs)
    settings = OptimizerSettings.of({**CHOSEN, "learning_rate": 3e38, "warmup_ratio": 0.0}, 1)
    _, loss, _ = bench.programs.train_cycle(
        specs, start(bench.programs, specs), settings, jnp.asarray([True] * 4), TRAIN, VALIDATION, key_of(1),
        steps=1, batch=48, clip_norm=1.0,
    )  # fmt: skip
    assert not np.isfinite(float(loss))


def test_the_same_key_shuffles_alike_another_does_not(bench: Workbench) -> None:
    state = start(bench.programs, specs_of(bench.programs))
    rows = [cycle(bench.programs, state, [True] * 4, key=key)[0][0] for key in (1, 1, 2)]
    assert same(rows[0], rows[1])
    assert not same(rows[0], rows[2])


def test_training_learns(bench: Workbench) -> None:
    state = start(bench.programs, specs_of(bench.programs))
    correct = []
    for key in range(8):
        state, _, right = cycle(bench.programs, (state[0], state[1], jnp.int32(0)), [True] * 4, key=key)
        correct.append(int(right))
    assert correct[-1] >= 27 > correct[0]


def test_only_shapes_and_layers_need_another_program(bench: Workbench) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, wall_s: told.append(what))
    specs = specs_of(programs)
    state = start(programs, specs)
    before = programs.num_compiled
    for changed in ({}, {"learning_rate": 0.5}, {"momentum": 0.1, "nesterov": False}, {"warmup_ratio": 0.0}):
        cycle(programs, state, [True] * 4, **changed)
    cycle(programs, state, [False, True, True, True])
    assert programs.num_compiled == before + 1
    assert told[-1] == "train_cycle embedding..head"
    cycle(programs, state, [True] * 4, train=coloured_images(49, 3, seed=1))
    assert programs.num_compiled == before + 2


@pytest.mark.parametrize("count", [1, 30, EVALUATION_BATCH, EVALUATION_BATCH + 1])
def test_evaluation_counts_every_example_once_and_no_padding(bench: Workbench, count: int) -> None:
    specs = specs_of(bench.programs)
    row = start(bench.programs, specs)[0]
    images = coloured_images(count, 3, seed=4)[0]
    # A new head has no opinion: the first class for everybody, the padding too.
    assert int(bench.programs.count_correct(specs, row, images, jnp.zeros(count, jnp.int32))) == count
    assert int(bench.programs.count_correct(specs, row, images, jnp.ones(count, jnp.int32))) == 0


def test_activations_are_those_of_the_plain_layers(bench: Workbench) -> None:
    specs = specs_of(bench.programs)
    row = start(bench.programs, specs)[0]
    images = coloured_images(EVALUATION_BATCH + 7, 3, seed=4)[0]
    (made,) = bench.programs.activations(specs[:2], row[:2], images, above=specs[2:])
    plain = bench.programs.family.apply(specs[:2], row[:2], images.astype(jnp.float32) / 127.5 - 1)
    assert made.shape == (EVALUATION_BATCH + 7, 4)
    np.testing.assert_allclose(made, plain, rtol=1e-5, atol=1e-6)
