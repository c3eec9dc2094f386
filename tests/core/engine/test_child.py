"""What a child comes to: which of its validations is kept, and what it is trained from."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from mu2net_core.engine.beginning import begin
from mu2net_core.engine.child import Listener
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.slots import Room
from mu2net_core.nn import VisionTransformer
from mu2net_core.objects import Architecture, Component
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench


@pytest.mark.parametrize(
    ("script", "floor", "best_cycle"),
    [
        ([(1, 20), (1, 25), (1, 22)], 0.0, 1),
        ([(1, 20), (1, 25), (1, 25)], 0.0, 2),
        ([(1, 25), (1, 20), (1, 20)], 0.0, 0),
        ([(1, 20), (1, 25), (1, 22)], 25 / 30, 1),
        ([(1, 20), (1, 25), (1, 22)], 26 / 30, None),
        ([(1, 0), (1, 0), (1, 0)], 0.0, 2),
        ([(1, 25, 0.5), (1, 25, 3.0), (1, 25, 1.0)], 0.0, 1),
        ([(1, 25, 0.5), (1, 24, 3.0), (1, 20, 9.0)], 0.0, 0),
    ],
)
def test_the_best_validation_worth_keeping_is_kept_where_they_tie_that_of_the_least_loss_and_else_the_latest(
    bench: Workbench, plan_of, scripted, script, floor: float, best_cycle: int | None, train_one
) -> None:
    child = train_one(bench, plan_of(bench.root()), programs=scripted(*script), floor=floor, validations=3)
    assert child.finite
    assert child.curve == tuple(cycle[1] / 30 for cycle in script)
    assert child.best_cycle == best_cycle
    done = 0 if best_cycle is None else best_cycle + 1
    assert (child.steps, child.examples) == (3 * done, 48 * done)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_training_stops_at_the_first_loss_that_is_not_finite(
    bench: Workbench, plan_of, scripted, loss, train_one
) -> None:
    programs = scripted((1, 25), (loss, 3), (1, 28))
    child = train_one(bench, plan_of(bench.root()), programs=programs, validations=3)
    assert not child.finite
    assert (child.curve, child.best_cycle) == ((25 / 30,), None)
    assert len(programs.calls) == 2


def test_a_learning_rate_beyond_all_measure_is_not_finite(bench: Workbench, plan_of, train_one) -> None:
    child = train_one(bench, plan_of(bench.root(), clones=("embedding",), learning_rate=1e38))
    assert not child.finite


def test_the_last_steps_divergence_is_not_finite_either(bench: Workbench, plan_of, train_one) -> None:
    # One step: its loss comes before the damage, and every later argmax of NaN would be class 0.
    plan = plan_of(bench.root(), clones=("embedding",), learning_rate=3e38, warmup_ratio=0.0)
    child = train_one(bench, plan, validations=1, batch_size=48)
    assert not child.finite
    assert child.curve == ()


def test_a_clone_goes_on_with_the_momentum_of_what_it_was_cloned_from(
    bench: Workbench, plan_of, scripted, train
) -> None:
    root = bench.root()
    component = bench.components[root.model.components[1].id]
    momentum = {f"momentum/{name}": np.full_like(array, 0.25) for name, array in component.params.items()}
    oid, _ = bench.store(
        Component(name="block_0", config=component.config, params=component.params, opt_state=momentum)
    )
    refs = (root.model.components[0], replace(root.model.components[1], id=oid), *root.model.components[2:])
    parent = replace(root, model=replace(root.model, components=refs))
    programs = scripted((1, 20))
    train(bench, plan_of(parent, clones=("embedding", "block_0")), programs=programs)
    _, carried = programs.calls[0]["state"]
    assert all(bool((array == 0.25).all()) for array in carried[1].values())
    assert all(not array.any() for index in (0, 2, 3) for array in carried[index].values())


def test_what_is_new_begins_by_the_childs_seed(bench: Workbench, plan_of, job_of) -> None:
    plans = [plan_of(bench.root(num_layers=0), num_layers=1, seed=seed) for seed in (1, 1, 2)]
    first, same, other = (
        begin(
            job_of(plan).blueprint.row,
            plan.seed,
            bench.workshop().pool,
            bench.programs.family,
            optimizer="sgd",
            adaptive=False,
        )[0][0]["kernel"]
        for plan in plans
    )
    assert bool((first == same).all())
    assert not bool((first == other).all())


@pytest.mark.parametrize(("clones", "boundary"), [((), 2), (("block_0",), 1)])
def test_training_above_the_boundary_is_training_of_the_whole(
    bench: Workbench, plan_of, clones, boundary: int, blueprint_of, train_one
) -> None:
    plan = plan_of(bench.root(), clones=clones)
    assert len(blueprint_of(plan).frozen) == boundary
    short, whole = train_one(bench, plan), train_one(bench, plan, boundary=0)
    assert short.curve == whole.curve
    for ours, theirs in zip(short.params, whole.params[boundary:], strict=True):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), ours, theirs)
    for frozen, layer in zip(whole.params[:boundary], plan.parent.model.components, strict=False):
        kept = bench.components[layer.id].params
        assert all(np.asarray(frozen[name]).tobytes() == kept[name].tobytes() for name in kept)


def test_children_trained_together_come_out_as_those_trained_alone(bench: Workbench, plan_of, train, train_one) -> None:
    plans = [
        plan_of(bench.root(), ("block_0",), seed=1),
        plan_of(bench.root(), ("block_0",), seed=2, learning_rate=0.5, nesterov=True),
    ]
    together = train(bench, *plans, programs=Programs(family=DenseFamily()))
    for alone, beside in zip([train_one(bench, plan) for plan in plans], together, strict=True):
        assert alone.curve == beside.curve
        for mine, others in ((alone.params, beside.params), (alone.opt_state, beside.opt_state)):
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), mine, others)


def test_a_child_that_diverges_takes_no_other_with_it(bench: Workbench, plan_of, train, train_one) -> None:
    plans = [plan_of(bench.root(), ("block_0",), seed=1), plan_of(bench.root(), ("block_0",), learning_rate=1e38)]
    good, bad = train(bench, *plans, programs=Programs(family=DenseFamily()))
    assert (good.finite, bad.finite) == (True, False)
    assert good.curve == train_one(bench, plans[0]).curve


def test_what_diverged_once_is_not_kept_whatever_comes_of_it(bench: Workbench, plan_of, scripted, train) -> None:
    plans = [plan_of(bench.root(), seed=1), plan_of(bench.root(), seed=2)]
    programs = scripted(([1, 1], 20), ([1, math.nan], 22), ([1, 1], 25))
    good, bad = train(bench, *plans, programs=programs, validations=3)
    assert (good.finite, good.curve, good.best_cycle) == (True, (20 / 30, 22 / 30, 25 / 30), 2)
    assert (bad.finite, bad.curve, bad.best_cycle) == (False, (20 / 30,), None)


@pytest.mark.parametrize("clones", [(), ("block_0",), ("embedding",)], ids=str)
def test_a_child_whose_row_is_its_own_is_trained_as_one_that_shares_its_program(
    bench: Workbench, plan_of, clones, blueprint_of, train_one
) -> None:
    plan, large = plan_of(bench.root(), clones, weight_decay=0.1), Room(batch=2**40)
    shared, own = train_one(bench, plan), train_one(bench, plan, room=large)
    slots = blueprint_of(plan, room=large).slots
    assert own.curve == shared.curve
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), own.params, shared.params)
    assert [bool(layer) for layer in own.opt_state] == [slot.trainable for slot in slots]


@pytest.fixture(scope="module")
def transformers() -> Workbench:
    """Returns a bench whose models are the smallest vision transformers."""
    return Workbench(programs=Programs(family=VisionTransformer()))


SIZES = {"image": 2, "patch": 1, "width": 8, "heads": 2, "mlp": 8, "channels": 3}
TRANSFORMERS = replace(BENCH_PRESET, architecture=Architecture(name="vit", config=SIZES))


@pytest.mark.parametrize(
    ("layers", "changed", "kinds"), [(1, {}, ()), (2, {}, ()), (1, {"lora_0": 2}, ("lora",))], ids=str
)
def test_transformers_learn_in_a_program_that_has_room_for_others_as_in_one_of_their_own(
    transformers: Workbench, plan_of, train_one, layers: int, changed: dict[str, int], kinds: tuple[str, ...]
) -> None:
    root, room = transformers.root(num_layers=layers, preset=TRANSFORMERS), Room(kinds=kinds, blocks=2)
    clones = () if changed else tuple(ref.name for ref in root.model.components)
    plan = plan_of(root, clones, num_layers=layers, **changed)
    shared, own = (
        train_one(transformers, plan, room=room),
        train_one(transformers, plan, room=replace(room, batch=2**40)),
    )
    assert own.curve == shared.curve
    assert all(array.any() for array in own.params[0].values())  # what began as zeros, too
    for given, wanted in zip([layer for layer in shared.params if layer], own.params, strict=True):
        for name, array in wanted.items():  # of a rank that is lower than there is room for
            np.testing.assert_allclose(given[name][tuple(map(slice, array.shape))], array, rtol=1e-3, atol=1e-5)


def test_children_of_every_depth_are_trained_by_one_program(bench: Workbench, plan_of, train_one) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, _wall_s: told.append(what))
    for depth in (0, 1, 2):
        plan = plan_of(bench.root(num_layers=depth), ("embedding",), num_layers=depth)
        roomy = train_one(bench, plan, programs=programs, room=Room(blocks=2))
        exact = train_one(bench, plan)
        assert roomy.curve == exact.curve
        for given, wanted in ((roomy.params, exact.params), (roomy.opt_state, exact.opt_state)):
            found = [layer for layer in given if layer]
            jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found, list(wanted))
    assert [what for what in told if what.startswith("train")] == ["train dense..head"]


def test_children_of_every_depth_are_trained_together_as_each_alone(
    bench: Workbench, plan_of, train, train_one
) -> None:
    plans = [plan_of(bench.root(num_layers=depth), ("embedding",), num_layers=depth, seed=depth) for depth in (2, 0, 1)]
    together = train(bench, *plans, programs=Programs(family=DenseFamily()), room=Room(blocks=2))
    for plan, beside in zip(plans, together, strict=True):
        alone, found = train_one(bench, plan), [layer for layer in beside.params if layer]
        assert alone.curve == beside.curve
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), found, list(alone.params))


def test_every_cycle_has_an_order_of_its_own(bench: Workbench, plan_of, scripted, train_one) -> None:
    programs = scripted((1, 20), (1, 20))
    train_one(bench, plan_of(bench.root()), programs=programs, validations=2)
    first, second = (np.asarray(call["own"].order) for call in programs.calls)
    assert sorted(first[:3].flat) == sorted(second[:3].flat)
    assert not np.array_equal(first, second)


def test_examples_that_are_validated_in_parts_all_count(
    bench: Workbench, plan_of, train_one, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(bench.root(), ("block_0",))
    at_once = train_one(bench, plan)
    monkeypatch.setattr("mu2net_core.engine.programs.EVALUATION_BATCH", 8)
    in_parts = train_one(bench, plan)
    assert in_parts.curve == at_once.curve != (0.0,) * len(at_once.curve)


def test_each_tenth_of_a_cycle_is_told_of_with_the_loss_and_the_end_by_its_validation(
    bench: Workbench, plan_of, scripted, train_one
) -> None:
    said = list[tuple[object, ...]]()
    listener = Listener(on_steps=lambda *what: said.append(what), on_cycle=lambda *what: said.append(what))
    train_one(
        bench, plan_of(bench.root()), programs=scripted((0.75, 24)), min_steps=104, validations=2, listener=listener
    )
    told = (16, 24, 32, 48, 56, 64, 80, 88, 96)  # dispatches are of 8 steps
    one = [*((0, 0, steps, 0.75) for steps in told), (0, 0, 0.8)]
    assert said == [*one, *((0, 1, *rest) for _, _, *rest in one)]


def test_of_children_trained_together_each_is_told_of_by_its_number(bench: Workbench, plan_of, train) -> None:
    said = list[tuple[int, int, int, float]]()
    listener = Listener(on_steps=lambda *what: said.append(what)).of([7, 5])
    plans = [plan_of(bench.root(), seed=1), plan_of(bench.root(), seed=2), plan_of(bench.root(), seed=2)]
    train(bench, *plans, programs=Programs(family=DenseFamily()), min_steps=24, validations=1, listener=listener)
    assert [(child, cycle, steps) for child, cycle, steps, _ in said] == [(7, 0, 8), (5, 0, 8), (7, 0, 16), (5, 0, 16)]
    assert said[0][3] != said[1][3]
