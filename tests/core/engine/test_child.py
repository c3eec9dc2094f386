from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.engine.blueprint import Blueprint, draw_blueprint
from mu2net_core.engine.child import TaskData, Trained, key_of, train_child
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs
from mu2net_core.objects import Component
from mu2net_core.testing.workbench import BENCH_PRESET, DenseFamily, Workbench, coloured_images


def blueprint_of(plan, boundary: int | None = None) -> Blueprint:
    drawn = draw_blueprint(
        plan, task="a", num_classes=3, family=DenseFamily(), ancestors=[plan.parent.model], usable=lambda ref: True
    )
    return drawn if boundary is None else replace(drawn, boundary=boundary)


def train(
    bench: Workbench, plan, *, programs=None, data=None, pool=None, boundary=None, floor=0.0, **config
) -> Trained:
    shop = bench.workshop()
    return train_child(
        blueprint_of(plan, boundary),
        plan.hyperparameters,
        data=data or shop.data,
        pool=pool or shop.pool,
        programs=programs or bench.programs,
        config=replace(BENCH_PRESET.training, **config),
        seed=plan.seed,
        worth_keeping=lambda quality: quality >= floor,
    )


@pytest.mark.parametrize(
    ("script", "floor", "best_cycle"),
    [
        ([(1, 20), (1, 25), (1, 22)], 0.0, 1),
        ([(1, 20), (1, 25), (1, 25)], 0.0, 2),
        ([(1, 25), (1, 20), (1, 20)], 0.0, 0),
        ([(1, 20), (1, 25), (1, 22)], 25 / 30, 1),
        ([(1, 20), (1, 25), (1, 22)], 26 / 30, None),
        ([(1, 0), (1, 0), (1, 0)], 0.0, 2),
    ],
)
def test_the_best_validation_worth_keeping_is_kept_the_latest_where_they_tie(
    bench: Workbench, plan_of, scripted, script, floor: float, best_cycle: int | None
) -> None:
    child = train(bench, plan_of(bench.root()), programs=scripted(*script), floor=floor, validations=3)
    assert child.finite
    assert child.curve == tuple(correct / 30 for _, correct in script)
    assert child.best_cycle == best_cycle
    done = 0 if best_cycle is None else best_cycle + 1
    assert (child.steps, child.examples) == (3 * done, 48 * done)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_training_stops_at_the_first_loss_that_is_not_finite(bench: Workbench, plan_of, scripted, loss) -> None:
    programs = scripted((1, 25), (loss, 3), (1, 28))
    child = train(bench, plan_of(bench.root()), programs=programs, validations=3)
    assert not child.finite
    assert child.curve == (25 / 30,)
    assert len(programs.calls) == 2


def test_a_learning_rate_beyond_all_measure_is_not_finite(bench: Workbench, plan_of) -> None:
    child = train(bench, plan_of(bench.root(), clones=("embedding",), learning_rate=1e38))
    assert not child.finite


@pytest.mark.parametrize(
    ("config", "steps", "batch"),
    [
        ({"batch_size": 16}, 3, 16),
        ({"batch_size": 17}, 3, 16),
        ({"batch_size": 20}, 3, 16),
        ({"batch_size": 47}, 2, 24),
        ({"batch_size": 500}, 1, 48),
        ({"batch_size": 16, "samples_cap": 20}, 2, 10),
        ({"batch_size": 16, "samples_cap": 1}, 1, 1),
    ],
)
def test_a_cycle_is_an_epoch_or_the_cap_in_batches_of_one_size(
    bench: Workbench, plan_of, scripted, config, steps: int, batch: int
) -> None:
    programs = scripted((1, 20))
    train(bench, plan_of(bench.root()), programs=programs, **config)
    assert {(call["steps"], call["batch"]) for call in programs.calls} == {(steps, batch)}
    assert float(programs.calls[0]["settings"].total_steps) == 2 * steps


def test_a_clone_goes_on_with_the_momentum_of_what_it_was_cloned_from(bench: Workbench, plan_of, scripted) -> None:
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
    _, carried, done = programs.calls[0]["state"]
    assert all(bool((array == 0.25).all()) for array in carried[1].values())
    assert all(not array.any() for index in (0, 2, 3) for array in carried[index].values())
    assert int(done) == 0


def test_what_is_new_begins_by_the_childs_seed(bench: Workbench, plan_of, scripted) -> None:
    starts = []
    for seed in (1, 1, 2):
        programs = scripted((1, 20))
        train(bench, plan_of(bench.root(num_layers=0), num_layers=1, seed=seed), programs=programs)
        starts.append(programs.calls[0]["state"][0][0]["kernel"])
    assert bool((starts[0] == starts[1]).all())
    assert not bool((starts[0] == starts[2]).all())


@pytest.mark.parametrize(("clones", "boundary"), [((), 2), (("block_0",), 1)])
def test_training_above_the_boundary_is_training_of_the_whole(bench: Workbench, plan_of, clones, boundary: int) -> None:
    plan = plan_of(bench.root(), clones=clones)
    assert blueprint_of(plan).boundary == boundary
    short, whole = train(bench, plan), train(bench, plan, boundary=0)
    assert short.curve == whole.curve
    for ours, theirs in zip(short.params, whole.params[boundary:], strict=True):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), ours, theirs)
    for frozen, layer in zip(whole.params[:boundary], plan.parent.model.components, strict=False):
        kept = bench.components[layer.id].params
        assert all(np.asarray(frozen[name]).tobytes() == kept[name].tobytes() for name in kept)


def test_frozen_layers_run_once_for_all_children_and_training_never_runs_them(bench: Workbench, plan_of) -> None:
    family = DenseFamily()
    programs, data = Programs(family=family), bench.workshop().data
    for seed in (1, 2):
        train(bench, plan_of(bench.root(), seed=seed), programs=programs, data=data)
    below = [names for names in family.applied if "embedding" in names]
    assert set(below) == {("embedding", "block_0")}
    assert len(below) <= 2  # as it is compiled, for train and validation
    assert set(family.applied) - set(below) == {("norm", "head")}


def test_frozen_layers_are_not_even_loaded_once_their_work_is_known(bench: Workbench, plan_of) -> None:
    plan, data = plan_of(bench.root()), bench.workshop().data
    first = train(bench, plan, data=data)
    loaded: list[str] = []

    def load(oid: str) -> Component:
        loaded.append(bench.components[oid].name)
        return bench.components[oid]

    again = train(bench, plan, data=data, pool=ComponentPool(load))
    assert loaded == ["norm"]
    assert again.curve == first.curve
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), again.params, first.params))


def test_many_frozen_parts_are_not_all_kept_but_stay_right(bench: Workbench, plan_of) -> None:
    data, shop = bench.workshop().data, bench.workshop()
    root = bench.root()
    first, last = None, None
    for shift in (0, 1, 2, 3, 4, 5, 0):
        embedding = bench.components[root.model.components[0].id]
        params = {**embedding.params, "bias": embedding.params["bias"] + np.float32(shift)}
        oid, _ = bench.store(Component(name="embedding", config=embedding.config, params=params))
        refs = (replace(root.model.components[0], id=oid), *root.model.components[1:])
        parent = replace(root, model=replace(root.model, components=refs))
        (last, _), _ = data.above(blueprint_of(plan_of(parent)), bench.programs, shop.pool)
        first = last if first is None else first
        x = shop.data.train[0].astype(jnp.float32) / 127.5 - 1
        row = shop.pool.row(ref.id for ref in refs[:2])
        plain = bench.programs.family.apply(blueprint_of(plan_of(parent)).specs[:2], row, x)
        np.testing.assert_allclose(last, plain, rtol=1e-5, atol=1e-5)
    assert bool((first == last).all())


def test_keys_use_every_bit_of_a_seed() -> None:
    seeds = [0, 1, 2**31, 2**32, 2**32 + 1, 2**62]
    drawn = {float(jax.random.uniform(key_of(seed))) for seed in seeds}
    assert len(drawn) == len(seeds)


def test_examples_are_seen_as_they_are_without_frozen_layers(bench: Workbench, plan_of) -> None:
    data = TaskData(train=coloured_images(4, 3, 1), validation=coloured_images(3, 3, 2))
    train_split, validation = data.above(
        blueprint_of(plan_of(bench.root(), clones=("embedding",))), bench.programs, bench.workshop().pool
    )
    assert train_split[0] is data.train[0]
    assert validation[0] is data.validation[0]
