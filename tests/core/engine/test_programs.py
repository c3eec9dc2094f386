from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mu2net_core.engine.cache import GPU_OPTIONS, MOST_KEPT
from mu2net_core.engine.cycle import order_of
from mu2net_core.engine.optimizer import OptimizerSettings, learning_rate_at
from mu2net_core.engine.programs import EVALUATION_BATCH, Programs
from mu2net_core.engine.training import Chunk, Own, TrainingShape
from mu2net_core.nn import InputSpec, LayerSpec, VisionTransformer
from mu2net_core.objectives import Classify, Regress
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.workbench import Workbench, coloured_images

CONFIG = {"image": 2, "width": 4}
TRAIN, VALIDATION = coloured_images(48, 3, seed=1), coloured_images(30, 3, seed=2)
CHOSEN = {"learning_rate": 0.2, "warmup_ratio": 0.1, "momentum": 0.9, "nesterov": True}
STEPS, BATCH = 3, 16
CLASSIFY = Classify()


def specs_of(programs: Programs, num_layers: int = 1) -> tuple[LayerSpec, ...]:
    return programs.family.layers(CONFIG, {"num_layers": num_layers}, 3)


def start(programs: Programs, specs: tuple[LayerSpec, ...]):
    row = tuple(programs.family.init(spec, np.random.default_rng(index)) for index, spec in enumerate(specs))
    return row, jax.tree.map(np.zeros_like, row), np.int32(0)


def arguments(trainable=(True,) * 4, *, key: int = 5, examples=TRAIN, steps: int = STEPS, variant: int = 0, **changed):
    """Returns what a child trained alone gets, beside its state."""
    own = Own(
        settings=OptimizerSettings.of({**CHOSEN, **changed}, 2 * STEPS),
        smoothing=np.float32(changed.get("label_smoothing", 0.0)),
        trainable=np.asarray(trainable),
        present=np.ones(len(trainable), bool),
        order=order_of(key, steps, BATCH, STEPS, num_examples=steps * BATCH),
    )
    runtime = {"steps": np.int32(steps), "variant": np.int32(variant), "clip_norm": np.float32(1.0)}
    return own, Chunk(inputs=examples.inputs, labels=examples.labels, **runtime)


def train(programs: Programs, state, trainable=(True,) * 4, *, specs=None, shape=None, objective=CLASSIFY, **options):
    shape = shape or TrainingShape.plain(specs or specs_of(programs))
    own, chunk = arguments(trainable, **options)
    return programs.train(shape, jax.tree.map(jnp.array, state), own, chunk, objective=objective)


def same(one, other) -> bool:
    return all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), one, other)))


@pytest.mark.parametrize("trained", [(0, 1, 2, 3), (3,), (1, 3)], ids=str)
def test_training_is_what_optax_makes_of_the_trained_layers_step_by_step(bench: Workbench, trained) -> None:
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

    def loss_of(moving, chosen):
        layers = [moving.get(index, layer) for index, layer in enumerate(row)]
        logits = programs.family.apply(specs, layers, TRAIN.inputs[chosen].astype(np.float32) / 127.5 - 1)
        return optax.softmax_cross_entropy_with_integer_labels(logits, TRAIN.labels[chosen]).mean()

    state = (row, momentum, done)
    for number in range(2):
        losses = []
        for chosen in order_of(number, STEPS, BATCH, STEPS, num_examples=STEPS * BATCH):
            loss, gradients = jax.value_and_grad(loss_of)(moving, chosen)
            updates, optimizer = theirs.update(gradients, optimizer, moving)
            moving = optax.apply_updates(moving, updates)
            losses.append(float(loss))
        state, mean_loss = train(programs, state, [index in trained for index in range(4)], key=number)
        assert float(mean_loss) == pytest.approx(np.mean(losses), rel=1e-4)
    for index, layer in moving.items():
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), state[0][index], layer)
    assert int(state[2]) == 2 * STEPS


@pytest.mark.parametrize("frozen", [(), (0,), (1,), (0, 2), (0, 1, 2, 3)], ids=str)
def test_frozen_layers_are_bit_identical_and_the_others_are_trained(bench: Workbench, frozen) -> None:
    specs = specs_of(bench.programs)
    row, momentum, done = start(bench.programs, specs)
    row = (*row[:3], {name: array + 0.1 for name, array in row[3].items()})
    trained, carried, _ = train(bench.programs, (row, momentum, done), [i not in frozen for i in range(4)])[0]
    for index in range(4):
        assert same(trained[index], row[index]) == (index in frozen)
        assert same(carried[index], momentum[index]) == (index in frozen)


def test_a_frozen_layer_survives_a_divergence_above_it(bench: Workbench) -> None:
    state = start(bench.programs, specs_of(bench.programs))
    (row, _, _), loss = train(bench.programs, state, [False, True, True, True], learning_rate=1e38)
    assert not np.isfinite(float(loss))
    assert same(row[0], state[0][0])


def test_what_a_state_was_made_from_is_left_alone_though_the_state_is_consumed(bench: Workbench) -> None:
    state = start(bench.programs, specs_of(bench.programs))
    before = jax.tree.map(np.copy, state)
    train(bench.programs, state, [True] * 4)
    assert same(state, before)


def test_the_same_key_shuffles_alike_another_does_not(bench: Workbench) -> None:
    state = start(bench.programs, specs_of(bench.programs))
    rows = [train(bench.programs, state, [True] * 4, key=key)[0][0] for key in (1, 1, 2)]
    assert same(rows[0], rows[1])
    assert not same(rows[0], rows[2])


def test_only_shapes_and_layers_need_another_program(bench: Workbench) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, wall_s: told.append(what))
    state = start(programs, specs_of(programs))
    for changed in ({}, {"learning_rate": 0.5}, {"momentum": 0.1, "nesterov": False}, {"warmup_ratio": 0.0}):
        train(programs, state, [True] * 4, **changed)
    train(programs, state, [False, True, True, True])
    assert told == ["train dense..head"]
    renamed = tuple(replace(spec, name=f"{spec.name}_9") for spec in specs_of(programs))
    train(programs, state, [True] * 4, specs=renamed)
    assert len(told) == 1
    train(programs, state, [True] * 4, steps=1)
    assert len(told) == 1
    train(programs, state, [True] * 4, examples=coloured_images(49, 3, seed=1))
    assert len(told) == 2


def test_a_chunk_that_is_not_full_trains_as_one_of_its_size(bench: Workbench) -> None:
    state, few = start(bench.programs, specs_of(bench.programs)), coloured_images(2 * BATCH, 3, seed=1)
    noise = coloured_images(BATCH, 3, seed=9)
    padded = replace(
        few,
        inputs=np.concatenate([few.inputs, noise.inputs]),
        labels=np.concatenate([few.labels, noise.labels]),
    )
    shape = TrainingShape.plain(specs_of(bench.programs))
    own, chunk = arguments(examples=few, steps=2)
    exact = replace(own, order=own.order[:2])
    (row, momentum, done), loss = bench.programs.train(
        shape, jax.tree.map(jnp.array, state), exact, chunk, objective=CLASSIFY
    )
    roomy, roomy_loss = train(bench.programs, state, examples=padded, steps=2)
    assert same((row, momentum), roomy[:2])
    assert (int(done), float(loss)) == (int(roomy[2]), float(roomy_loss)) == (2, float(loss))


def with_room(programs: Programs, depth: int) -> TrainingShape:
    """Returns the shape of models of no block, of one and of ``depth``, in slots of their own."""
    below, blocks, above = (0,), tuple(range(1, depth + 1)), (depth + 1, depth + 2)
    rows = tuple((*below, *used, *above) for used in ((), blocks[-1:], blocks))
    return replace(TrainingShape.plain(specs_of(programs, num_layers=depth)), rows=rows)


@pytest.mark.parametrize("depth", [2, 3])  # with and without a program that variants share
def test_a_row_with_room_for_more_blocks_trains_the_blocks_there_are_and_touches_no_other(
    bench: Workbench, depth: int
) -> None:
    programs, short, deep = bench.programs, specs_of(bench.programs), with_room(bench.programs, depth)
    row, momentum, done = start(programs, short)
    plain, loss = train(programs, (row, momentum, done))
    marked = ({name: np.full_like(array, 7.0) for name, array in row[1].items()},) * (depth - 1)
    roomy = ((row[0], *marked, *row[1:]), (momentum[0], *marked, *momentum[1:]), done)
    flags = (True, *(False for _ in marked), True, True, True)
    (found, moved, _), roomy_loss = train(programs, roomy, flags, shape=deep, variant=1)
    assert float(loss) == float(roomy_loss)
    assert same((found[0], *found[depth:]), plain[0])
    assert same((moved[0], *moved[depth:]), plain[1])
    assert same((found[1:depth], moved[1:depth]), (marked, marked))


def test_what_is_trained_may_be_compiled_in_and_then_nothing_else_has_momentum(bench: Workbench) -> None:
    programs, specs = bench.programs, specs_of(bench.programs)
    row, momentum, done = start(programs, specs)
    flags = (False, True, False, True)
    masked, loss = train(programs, (row, momentum, done), flags)
    shape = replace(TrainingShape.plain(specs), trainable=flags)
    few = tuple(layer if flag else {} for layer, flag in zip(momentum, flags, strict=True))
    own, chunk = arguments(flags)
    own = replace(own, trainable=None, present=None)
    (found, moved, _), own_loss = programs.train(
        shape, jax.tree.map(jnp.array, (row, few, done)), own, chunk, objective=CLASSIFY
    )
    assert float(own_loss) == pytest.approx(float(loss), rel=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, masked[0])
    assert same(found[0], row[0])
    assert moved[0] == moved[2] == {}


def test_what_is_trained_by_is_part_of_the_program(bench: Workbench) -> None:
    state = start(bench.programs, specs_of(bench.programs))
    near, far = (Regress(mean=mean, deviation=1.0) for mean in (1.0, 5.0))
    losses = [float(train(bench.programs, state, objective=objective)[1]) for objective in (near, far, near)]
    assert losses[0] == losses[2] < losses[1]


def test_a_program_asked_for_twice_at_once_is_compiled_once(bench: Workbench) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, wall_s: told.append(what))
    specs = specs_of(programs)
    args = jax.eval_shape(lambda *all: all, start(programs, specs), *arguments())
    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            programs.train_ahead(threads, TrainingShape.plain(specs), *args, objective=CLASSIFY, is_next=False)
    train(programs, start(programs, specs), [True] * 4)
    assert told == ["train dense..head"]


@pytest.mark.parametrize("is_next", [True, False])
def test_who_trains_is_told_what_it_waits_for_and_not_of_what_is_compiled_ahead(
    bench: Workbench, is_next: bool
) -> None:
    told: list[tuple[str, str]] = []
    programs = Programs(
        family=DenseFamily(),
        on_compile=lambda what, _wall_s: told.append(("compiled", what)),
        on_wait=lambda what: told.append(("waits", what)),
    )
    specs = specs_of(programs)
    args = jax.eval_shape(lambda *all: all, start(programs, specs), *arguments())
    with ThreadPoolExecutor(1) as thread:
        programs.train_ahead(thread, TrainingShape.plain(specs), *args, objective=CLASSIFY, is_next=is_next)
    train(programs, start(programs, specs), [True] * 4)
    assert told == [("compiled", "train dense..head")]
    told.clear()
    train(programs, start(programs, specs), [True] * 4, examples=coloured_images(49, 3, seed=1))
    assert told == [("waits", "train dense..head"), ("compiled", "train dense..head")]


def test_what_cannot_be_compiled_fails_every_time_and_not_by_waiting_for_ever(bench: Workbench) -> None:
    programs = Programs(family=DenseFamily())
    for _ in range(2):
        with pytest.raises(TypeError):
            programs.run("broken", lambda x: x @ x, np.ones((2, 3), np.float32))


def test_activations_are_those_of_the_plain_layers_stage_by_stage(bench: Workbench) -> None:
    specs = specs_of(bench.programs, num_layers=2)
    row = start(bench.programs, specs)[0]
    images = coloured_images(7, 3, seed=4).inputs
    made = bench.programs.activations(specs[:3], row[:3], images, above=specs[3:])
    plain = bench.programs.family.apply(specs[:3], row[:3], images.astype(np.float32) / 127.5 - 1)
    assert made.shape == (7, 4)
    np.testing.assert_allclose(made, plain, rtol=1e-5, atol=1e-6)
    shape = bench.programs.output(specs[:3], specs[3:], InputSpec.image(2))
    assert (shape.shape, shape.dtype) == ((4,), np.float32)


def test_a_model_of_another_depth_is_evaluated_by_the_same_programs(bench: Workbench) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, wall_s: told.append(what))
    images = coloured_images(7, 3, seed=4).inputs
    for depth in (1, 2, 3):
        specs = specs_of(programs, num_layers=depth)
        programs.activations(specs, start(programs, specs)[0], images)
    assert told == ["stage dense..dense", "stage block..block", "stage norm..norm", "stage head..head"]


@pytest.mark.parametrize("together", [False, True])
def test_what_evaluates_a_model_can_be_compiled_ahead(bench: Workbench, together: bool) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_wait=told.append)
    specs, images = specs_of(programs), coloured_images(7, 3, seed=4).inputs
    row = start(programs, specs)[0]
    if together:
        row = jax.tree.map(lambda array: np.stack([array, array]), row)
    promised, given = jax.eval_shape(lambda *both: both, row, images)
    with ThreadPoolExecutor(1) as thread:
        programs.activations_ahead(thread, specs, promised, given, together=together)
    programs.activations(specs, row, images, together=together)
    assert told == []


def test_as_many_examples_are_evaluated_at_once_as_a_model_leaves_room_for() -> None:
    programs = Programs(family=VisionTransformer())
    sizes = {"image": 32, "patch": 16, "width": 192, "heads": 3, "mlp": 768, "channels": 3}
    large = {"image": 384, "patch": 16, "width": 1024, "heads": 16, "mlp": 4096, "channels": 3}
    batches = [
        programs.evaluation_batch(programs.family.layers(config, {"num_layers": 2}, 10)) for config in (sizes, large)
    ]
    assert batches == [EVALUATION_BATCH, 8]


def products(function, *args, dtype: str = "") -> int:
    """Returns how many dense products a function of arrays computes, of ``dtype`` if told; also in what it calls."""

    def count(equations) -> int:
        values = (value for one in equations for value in one.params.values())
        inner = (each for value in values for each in (value if isinstance(value, tuple) else (value,)))
        called = (getattr(value, "jaxpr", None) for value in inner)
        dense = (one for one in equations if one.primitive.name == "dot_general")
        own = sum(dtype in ("", str(one.invars[0].aval.dtype)) for one in dense)
        return own + sum(count(jaxpr.eqns) for jaxpr in called if jaxpr is not None)

    return count(jax.make_jaxpr(function)(*args).eqns)


@pytest.mark.parametrize(("depth", "counted"), [(2, 2 + 3 + 6 + 9), (3, 5 + 8 + 14)])
def test_what_variants_have_in_common_is_compiled_once_where_it_is_most_of_what_they_compute(
    bench: Workbench, depth: int, counted: int
) -> None:
    # Of the embedding's product there is a gradient of the kernel, of a block's and the head's one of the input, too.
    # With three blocks the embedding, which all begin with, is less than half.
    shape = with_room(bench.programs, depth)
    state = start(bench.programs, shape.specs)
    own, chunk = arguments((True,) * len(shape.specs))
    run = partial(bench.programs._computation.train, shape=shape, objective=CLASSIFY)
    assert products(run, state, own, chunk) == counted


def test_what_variants_have_in_common_is_computed_as_precisely_as_the_rest() -> None:
    family = VisionTransformer()
    computation = Programs(family=family, precision="bfloat16")._computation
    sizes = {"image": 8, "patch": 4, "width": 8, "heads": 2, "mlp": 16, "channels": 3}
    deep = TrainingShape.plain(family.layers(sizes, {"num_layers": 4}, 3))
    *below, top, norm, head = deep.rows[0]
    shape = replace(deep, rows=((*below, norm, head), (*below, top, norm, head)))
    state = start(Programs(family=family), deep.specs)
    own, chunk = arguments((True,) * len(deep.specs), examples=replace(TRAIN, inputs=np.zeros((48, 8, 8, 3), np.uint8)))

    def exact(shape: TrainingShape) -> int:
        run = partial(computation.train, shape=shape, objective=CLASSIFY)
        return products(run, state, own, chunk, dtype="float32")

    assert computation._common(shape) == len(below) - 1  # a block below the norm computes one token only
    assert 0 < exact(shape) < 2 * exact(deep)  # as in bfloat16 there are few


def test_no_gradient_is_computed_below_the_boundary() -> None:
    # A block has six products (query, key, value, out, two of the MLP) and two in its attention. Each costs one more
    # for the gradient of its input and one more for that of its kernel.
    family = VisionTransformer()
    programs = Programs(family=family)
    sizes = {"image": 8, "patch": 4, "width": 8, "heads": 2, "mlp": 16, "channels": 3}
    specs = family.layers(sizes, {"num_layers": 3}, 3)
    counted, loss = [], programs._computation.loss
    for boundary in (0, 3, 4, 5, 6):
        above = specs[boundary:]
        inputs = programs.output(specs[:boundary], above, InputSpec.image(8))
        row = tuple(family.init(spec, np.random.default_rng(0)) for spec in above)
        counted.append(
            products(
                lambda row, x, labels, above=above: jax.grad(loss)(row, above, x, labels, CLASSIFY),
                row,
                np.zeros((2, *inputs.shape), inputs.dtype),
                np.zeros(2, np.int32),
            )
        )
    assert counted[-1] == 3  # the head, the gradient of its kernel, and that of its input, for the norm
    assert counted == sorted(counted, reverse=True)
    per_block = [before - after for before, after in pairwise(counted[1:])]
    assert all(saved >= 8 for saved in per_block)
    row = tuple(family.init(spec, np.random.default_rng(0)) for spec in specs)
    images = np.zeros((2, 8, 8, 3), np.uint8)

    def whole(above, x, labels):
        return jax.grad(lambda r: loss((*row[:4], *r), specs, x, labels, CLASSIFY))(above)

    all_of_it = products(whole, row[4:], images, np.zeros(2, np.int32))
    below = products(lambda row, x: family.apply(specs[:4], row, x, above=specs[4:]), row[:4], images)
    assert all_of_it - below == counted[2]  # just the forward pass of the frozen part, and nothing of its backward


def test_what_is_asked_of_a_gpus_compiler_is_something_the_compiler_knows() -> None:
    # Compilers of all devices read the same options, so a name that is wrong or gone shows here, too.
    run = jax.jit(lambda x: x @ x).lower(np.ones((2, 2), np.float32)).compile(compiler_options=GPU_OPTIONS)
    assert float(run(np.ones((2, 2), np.float32))[0, 0]) == 2.0


def test_programs_that_were_not_used_for_longest_are_let_go() -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, _wall_s: told.append(what))
    sizes = (*range(1, MOST_KEPT + 1), 1, MOST_KEPT + 1, 1, 2)
    for size in sizes:
        programs.run("twice", lambda x: 2 * x, np.ones(size, np.float32))
    assert len(told) == MOST_KEPT + 2  # the first one was used again and stayed, the second one was made anew
