"""A model that is trained on, on validation examples, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mu2net_core.data import Resident
from mu2net_core.engine import refit
from mu2net_core.engine.blueprint import steps_of_its_own
from mu2net_core.engine.child import Trained, Trainer
from mu2net_core.engine.feeding import TaskData
from mu2net_core.engine.generation import train_generation
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.workshop import Workshop
from mu2net_core.nn import InputSpec
from mu2net_core.objects import REFIT, Model, System, Training
from mu2net_core.search import ChildPlan, Member, Population
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench, coloured_images

MANY = Training(steps=1000, examples=16_000)


def trained(shop: Workshop, plan: ChildPlan, system: System, *members: Member) -> Member:
    population = Population(task=shop.task.name, members=members)
    (result,) = train_generation(shop, (plan,), population, system, seed=1)
    assert result.member is not None
    return result.member


def steps_of(model: Model) -> int:
    return model.components[-1].training["a"].steps


def again(shop: Workshop, child: Member, *others: Member) -> Model:
    models = {one.id: one.model for one in others}
    found = refit(shop, child, models.get)
    assert found is not None
    return found


def test_it_takes_the_programs_that_its_model_took_and_the_optimizer(plan_of, monkeypatch) -> None:
    told: list[str] = []
    bench = Workbench(programs=Programs(family=DenseFamily(), on_compile=lambda what, _wall_s: told.append(what)))
    root = bench.root()
    system = SystemBuilder().root(root).task("a").build()
    monkeypatch.setattr(TaskData, "pooled", lambda self: self)
    space = BENCH_PRESET.space
    values = {
        "values": {**space.values, "optimizer": ("adamw", "sgd")},
        "defaults": {**space.defaults, "optimizer": "sgd"},
    }
    for preset, plan in (
        (BENCH_PRESET, plan_of(root, num_layers=2)),
        (replace(BENCH_PRESET, space=replace(space, **values)), plan_of(root, optimizer="adamw", learning_rate=0.02)),
    ):
        shop = bench.workshop(preset=preset)
        child, before = trained(shop, plan, system), len(told)
        again(shop, child, root)
        assert told[before:] == []


def test_it_takes_what_its_own_size_says(bench: Workbench, plan_of, system, monkeypatch) -> None:
    seen: list[int] = []

    def sized(self: DenseFamily, config: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> InputSpec:
        seen.append(hyperparameters.get("image_size", 0))
        return InputSpec.image(config["image"])

    monkeypatch.setattr(DenseFamily, "input", sized)
    shop, root = bench.workshop(), bench.root()
    child = trained(shop, plan_of(root, image_size=2), system)
    seen.clear()
    again(shop, child, root)
    assert set(seen) == {2}


@pytest.mark.parametrize(
    ("clones", "values"),
    [((), {}), (("block_0",), {}), (("embedding", "block_0"), {"momentum": 0.8}), ((), {"num_layers": 2})],
    ids=["head", "a block", "all", "deeper"],
)
def test_a_model_is_trained_on_from_where_it_is_for_as_long_again(bench: Workbench, plan_of, system, clones, values):
    shop, root = bench.workshop(), bench.root()
    child = trained(shop, plan_of(root, clones=clones, **values), system)
    made = again(shop, child, root)
    for before, after in zip(child.model.components, made.components, strict=True):
        if before.trainable:
            assert (after.trainable, after.operation, after.parent) == (True, "clone", before.id)
            assert after.training["a"].steps == 2 * before.training["a"].steps
        else:
            assert after == before


def test_steps_of_its_own_are_what_its_layers_have_beyond_what_they_began_with(
    bench: Workbench, plan_of, system
) -> None:
    shop, root = bench.workshop(), bench.root()
    first = trained(shop, plan_of(root, clones=("block_0",)), system)

    def with_training(own: int, before: int) -> Model:
        """Returns a model whose head began with so many steps."""
        had = {"a": Training(steps=before, examples=before)}
        known["before"] = replace(first.model.component("head"), id="before", training=had)
        after = {**had, "a": Training(steps=before + own, examples=before + own), "b": MANY}
        head = replace(first.model.component("head"), parent="before", training=after)
        frozen = replace(first.model.component("block_0"), trainable=False, training={"a": MANY, "b": MANY})
        return replace(first.model, components=(frozen, head))

    known = {ref.id: ref for ref in root.model.components}
    assert steps_of_its_own(first.model, known) == steps_of(first.model)
    assert [steps_of_its_own(with_training(3, before), known) for before in (0, 7)] == [3, 3]


def test_it_learns_from_validation_examples_in_as_many_steps_and_says_what_the_first_one_said(
    bench: Workbench, plan_of, system
) -> None:
    shop, root = bench.workshop(), bench.root()
    child = trained(shop, plan_of(root, clones=("block_0",)), system)
    made = again(shop, child, root)
    assert (made.parent, made.refit_of) == (child.id, child.id)
    assert [mutation.name for mutation in made.mutations] == [REFIT]
    same = ("quality", "score", "validation_curve", "costs", "hyperparameters", "seed", "root", "task")
    assert all(getattr(made, name) == getattr(child.model, name) for name in same)
    assert not made.is_retained
    for before, after in zip(child.model.components, made.components, strict=True):
        assert (before.id == after.id) == (not before.trainable)


def test_all_examples_are_there_to_train_on_and_validation_stays(bench: Workbench) -> None:
    shop = bench.workshop()
    spec = shop.programs.family.input(shop.preset.architecture.config, shop.preset.space.defaults)
    data, pooled = shop.data, shop.data.pooled()
    assert pooled.num_examples == {"train": 78, "validation": 30}
    (whole,) = pooled.split("train", spec).in_order(chunk=78)
    parts = [next(data.split(name, spec).in_order(chunk=48)) for name in ("train", "validation")]
    np.testing.assert_array_equal(whole.inputs, np.concatenate([part.inputs for part in parts]))
    np.testing.assert_array_equal(whole.labels, np.concatenate([part.labels for part in parts]))
    assert pooled.split("validation", spec).num_examples == 30


def test_the_cycle_that_was_kept_is_the_last_one_whatever_its_validation_says(
    bench: Workbench, plan_of, scripted, system
) -> None:
    plan = plan_of(bench.root(), clones=("block_0",))
    shop = replace(bench.workshop(), programs=scripted((1, 20), (1, 25)))
    child = trained(shop, plan, system)
    assert child.model.validation_curve == (20 / 30, 25 / 30)
    programs = scripted((1, 29), (1, 3))
    made = again(replace(shop, programs=programs), child, bench.root())
    assert len(programs.calls) == 2
    assert made.quality == 25 / 30
    shop = replace(shop, programs=scripted((1, 25), (1, 20)))
    early = trained(shop, plan, system)
    programs = scripted((1, 3), (1, 29))
    made = again(replace(shop, programs=programs), early, bench.root())
    assert len(programs.calls) == 1
    assert steps_of(made) == 2 * steps_of(early.model)


def test_examples_come_in_an_order_of_its_own_and_it_is_told_of_how_many_and_how_far_it_is(
    bench: Workbench, plan_of, system, monkeypatch
) -> None:
    shop, root, seeds, told = bench.workshop(), bench.root(), list[int](), list[Any]()
    children = [trained(shop, plan_of(root, ("block_0",), seed=seed), system) for seed in (1, 2)]
    train = Trainer.train

    def watched(self: Trainer, jobs: Any, *, seed: int, **others: Any) -> list[Trained]:
        seeds.append(seed)
        return train(self, jobs, seed=seed, **others)

    monkeypatch.setattr(Trainer, "train", watched)
    for child in (children[0], children[1], children[0]):
        assert refit(shop, child, {root.id: root.model}.get, lambda *begun: told.append(begun), told.append) is not None
        steps = child.model.components[-1].training["a"].steps
        assert told == [(78, steps), *range(3, steps + 1, 3)]
        told.clear()
    assert seeds[0] == seeds[2] != seeds[1]
    assert children[0].model.seed not in seeds


@pytest.mark.parametrize(("told", "cycles"), [(1, 1), (10**9, 2)], ids=["shorter than a child", "for ever"])
def test_it_takes_no_longer_than_a_child_and_its_rate_falls_to_zero_in_the_end(
    bench: Workbench, plan_of, system, monkeypatch, told: int, cycles: int
) -> None:
    shop, root, totals, begun = bench.workshop(), bench.root(), set[int](), list[int]()
    child = trained(shop, plan_of(root), system)
    each = {"a": Training(steps=told, examples=told)}
    parts = [replace(ref, training=each) if ref.trainable else ref for ref in child.model.components]
    claimed = Member(id=child.id, model=replace(child.model, components=tuple(parts)))
    of = OptimizerSettings.of

    def noted(hyperparameters: Mapping[str, Any], total: int) -> OptimizerSettings:
        totals.add(total)
        return of(hyperparameters, total)

    monkeypatch.setattr(OptimizerSettings, "of", noted)
    assert refit(shop, claimed, {root.id: root.model}.get, lambda _examples, steps: begun.append(steps)) is not None
    assert shop.preset.training.validations == 2
    assert begun == [*totals] == [cycles * 3]


def test_there_is_none_where_it_cannot_be_done(bench: Workbench, plan_of, scripted, system) -> None:
    shop, root = bench.workshop(), bench.root()
    child = trained(shop, plan_of(root, clones=("block_0",)), system)
    assert refit(shop, child, {root.id: root.model}.get) is not None
    assert refit(shop, child, lambda _oid: None) is None  # what it was made from was purged
    small = replace(shop, data=bench.data(resident_bytes=48 * 2 * 2 * 3))
    assert refit(small, child, {root.id: root.model}.get) is None
    diverging = replace(shop, programs=scripted((float("nan"), 3)))
    assert refit(diverging, child, {root.id: root.model}.get) is None


@pytest.mark.parametrize(("train", "validation"), [(64, 64), (12, 30)], ids=["more", "whole batches only then"])
def test_more_examples_are_neither_more_steps_nor_larger_batches(
    bench: Workbench, plan_of, system, train: int, validation: int
) -> None:
    splits = {"train": coloured_images(train, 3, 1), "validation": coloured_images(validation, 3, 2)}
    load = lambda split, _input_spec: Resident(splits[split])  # noqa: E731
    data = replace(bench.data(), load=load, num_examples={name: len(split) for name, split in splits.items()})
    shop, root = replace(bench.workshop(), data=data), bench.root()
    child = trained(shop, plan_of(root), system)
    made = again(shop, child, root)
    assert steps_of(made) == 2 * steps_of(child.model)
