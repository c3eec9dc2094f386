"""One generation: plans become arrays, are trained, and come back as models that are kept or dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from mu2net_core.engine.blueprint import Blueprint, LayerPlan, draw_blueprint, lineage, num_params
from mu2net_core.engine.child import Job, Trained, train_ahead, train_children
from mu2net_core.engine.events import Outcome
from mu2net_core.engine.feeding import SizedData, TaskData
from mu2net_core.engine.fitting import check_component
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs
from mu2net_core.nn import Arrays
from mu2net_core.objects import Component, ComponentRef, Costs, Model, System, Task, Training, may_read
from mu2net_core.presets import Preset
from mu2net_core.search import ChildPlan, Member, Population, account, accounted_params, score
from mu2net_core.seeds import derive_seed

__all__ = ["ChildResult", "Workshop", "train_generation"]

_MOST_STORING = 2

SaveComponent = Callable[[Component], tuple[str, int]]
"""Stores a component; returns its id and size in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """All that stays the same while an agent works on one task.

    Attributes:
        task: the active task.
        task_id: its object.
        preset: the repository's preset with its settings applied.
        data: the task's examples.
        programs: compiled programs.
        pool: components in memory.
        save_component: stores what was trained; called by another thread than the one that trains.
        model_id: returns the id a manifest will have.
        provenance: device kind and library versions, stored in every model.
    """

    task: Task
    task_id: str
    preset: Preset
    data: TaskData
    programs: Programs
    pool: ComponentPool
    save_component: SaveComponent
    model_id: Callable[[Model], str]
    provenance: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """What became of one child.

    Attributes:
        child: its number in the generation.
        outcome: kept, or why not.
        quality: its best, None if a loss was not finite.
        score: likewise.
        curve: of its validations.
        storing: its model, once it is stored; None if it was discarded.
        wall_s: its share of the time that training took.
    """

    child: int
    outcome: Outcome
    quality: float | None
    score: float | None
    curve: tuple[float, ...]
    storing: Future[Member] | None
    wall_s: float

    @property
    def member(self) -> Member | None:
        """The child as a member of the population, None if it was discarded; waits until it is stored."""
        return None if self.storing is None else self.storing.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A child that is about to be trained."""

    child: int
    plan: ChildPlan
    blueprint: Blueprint
    costs: Costs
    job: Job

    @property
    def program(self) -> tuple[Any, ...]:
        """Children that agree in this can be trained together."""
        below = tuple(layer.source.id for layer in self.blueprint.frozen if layer.source is not None)
        return (below, *(replace(slot.spec, name=slot.spec.kind) for slot in self.blueprint.slots))


def train_generation(
    shop: Workshop, plans: tuple[ChildPlan, ...], population: Population, system: System, *, seed: int
) -> Iterator[ChildResult]:
    """Yields the result of each plan as it is trained; nothing a parent holds is ever changed.

    What was trained is stored, and what will be needed is compiled, beside the training. A generation's children share
    the size of their images and their preprocessing.

    Args:
        shop: of the task.
        plans: of the children.
        population: that they are sampled from.
        system: as it is now.
        seed: of what the children share.
    """
    drawn = _draw_all(shop, plans, population, system)
    data = shop.data.at(_side(shop, plans[0]))
    groups = _groups(drawn, shop.programs.layout.together)
    with _background(shop.programs.meter) as (compiler, writer):
        for group in groups:
            jobs = [one.job for one in group]
            train_ahead(jobs, compiler, data=data, pool=shop.pool, programs=shop.programs, config=shop.preset.training)
        for group in groups:
            yield from _train(shop, group, data, writer, derive_seed(seed, "shared"))


def _draw_all(
    shop: Workshop, plans: tuple[ChildPlan, ...], population: Population, system: System
) -> tuple[_Drawn, ...]:
    own = (*population.past, *population.members)
    manifests = {**system.ancestors, **system.retained(), **{member.id: member.model for member in own}}
    alive = {member.id for member in population.members}
    users = account(head.model for head in system.heads.values() if head.model is not None)

    def draw(child: int, plan: ChildPlan) -> _Drawn:
        blueprint = draw_blueprint(
            plan,
            task=shop.task.name,
            num_classes=shop.task.num_classes,
            family=shop.programs.family,
            ancestors=lineage(plan.parent.model, manifests, lambda oid: oid in alive or system.keeps(oid)),
            usable=lambda ref: may_read(shop.task.name, ref.training, system.rules),
            kinds=shop.preset.space.structural,
        )
        costs = _costs(shop, blueprint, users)
        return _Drawn(child=child, plan=plan, blueprint=blueprint, costs=costs, job=_job(shop, plan, blueprint, costs))

    return tuple(draw(child, plan) for child, plan in enumerate(plans))


def _job(shop: Workshop, plan: ChildPlan, blueprint: Blueprint, costs: Costs) -> Job:
    parent, scorer = plan.parent.model, shop.preset.scorer
    floor = parent.score if parent.task == shop.task.name and parent.scorer == scorer else None
    return Job(
        blueprint=blueprint,
        hyperparameters=plan.hyperparameters,
        seed=plan.seed,
        worth_keeping=lambda quality: floor is None or score(quality, costs, scorer) >= floor,
    )


def _side(shop: Workshop, plan: ChildPlan) -> int:
    return shop.programs.family.image_side(plan.parent.model.architecture.config, plan.hyperparameters)


def _groups(drawn: Sequence[_Drawn], together: int) -> list[list[_Drawn]]:
    """Returns the children that are trained together, those that come first first."""
    alike: dict[tuple[Any, ...], list[_Drawn]] = {}
    for one in drawn:
        alike.setdefault(one.program if together > 1 else (one.child,), []).append(one)
    groups = [found[at : at + together] for found in alike.values() for at in range(0, len(found), together)]
    return sorted(groups, key=lambda group: group[0].child)


class _Writer:
    """Stores children in a thread of its own, two at most waiting: arrays wait in memory."""

    def __init__(self, meter: Meter) -> None:
        self._thread = ThreadPoolExecutor(1, "mu2net-store")
        self._room, self._meter = BoundedSemaphore(_MOST_STORING), meter

    def submit(self, store: Callable[[], Member]) -> Future[Member]:
        with self._meter.timing("wait"):
            self._room.acquire()
        storing = self._thread.submit(store)
        storing.add_done_callback(lambda _storing: self._room.release())
        return storing

    def close(self) -> None:
        self._thread.shutdown()


@contextmanager
def _background(meter: Meter) -> Iterator[tuple[Executor, _Writer]]:
    """Gives a thread that compiles and one that stores; what was not begun to compile is dropped at the end."""
    compiler, writer = ThreadPoolExecutor(1, "mu2net-compile"), _Writer(meter)
    try:
        yield compiler, writer
    finally:
        compiler.shutdown(wait=False, cancel_futures=True)
        writer.close()


def _train(shop: Workshop, group: list[_Drawn], data: SizedData, writer: _Writer, seed: int) -> Iterator[ChildResult]:
    began = time.perf_counter()
    layers = [layer for one in group for layer in one.blueprint.layers if layer.source is not None]
    shop.pool.prepare(layer.source for layer in layers if layer.source is not None)
    for layer in layers:
        _check_source(shop, layer)
    room = shop.programs.layout.together
    padded = group + [group[-1]] * (room - len(group) if len(group) > 1 else 0)
    results = train_children(
        [one.job for one in padded],
        data=data,
        pool=shop.pool,
        programs=shop.programs,
        config=shop.preset.training,
        seed=seed,
    )
    wall_s = (time.perf_counter() - began) / len(group)
    for one, trained in zip(group, results, strict=False):
        yield _result(shop, one, trained, writer, wall_s)


def _check_source(shop: Workshop, layer: LayerPlan) -> None:
    """Checks that the component a layer starts from is one; of another size only if it will be made to fit."""
    if layer.source is not None and not (layer.trainable and layer.operation in {"interpolate", "grow"}):
        check_component(shop.programs.family, layer.spec, shop.pool.component(layer.source.id), layer.source.id)


def _result(shop: Workshop, one: _Drawn, trained: Trained, writer: _Writer, wall_s: float) -> ChildResult:
    quality = None
    if trained.finite:
        quality = max(trained.curve) if trained.best_cycle is None else trained.curve[trained.best_cycle]
    outcome: Outcome = "nan" if quality is None else "score" if trained.best_cycle is None else "kept"
    return ChildResult(
        child=one.child,
        outcome=outcome,
        quality=quality,
        score=None if quality is None else score(quality, one.costs, shop.preset.scorer),
        curve=trained.curve,
        storing=writer.submit(partial(_stored, shop, one, trained)) if outcome == "kept" else None,
        wall_s=wall_s,
    )


def _stored(shop: Workshop, one: _Drawn, trained: Trained) -> Member:
    """Returns the child, its components stored."""
    parent, quality = one.plan.parent.model, trained.curve[trained.best_cycle or 0]
    model = Model(
        task=shop.task.name,
        task_id=shop.task_id,
        architecture=parent.architecture,
        root=parent.root or one.plan.parent.id,
        components=_store(shop, one.blueprint, trained),
        hyperparameters=one.plan.hyperparameters,
        mutation_rates=one.plan.mutation_rates,
        parent=one.plan.parent.id,
        mutations=one.plan.mutations,
        validation_curve=trained.curve,
        quality=quality,
        score=score(quality, one.costs, shop.preset.scorer),
        scorer=shop.preset.scorer,
        costs=one.costs,
        seed=one.plan.seed,
        device_kind=shop.provenance["device"],
        versions={name: version for name, version in shop.provenance.items() if name != "device"},
    )
    return Member(id=shop.model_id(model), model=model)


def _costs(shop: Workshop, blueprint: Blueprint, users: Mapping[str, frozenset[str]]) -> Costs:
    refs = [_provisional(shop, layer) for layer in blueprint.layers]
    return Costs(
        params=sum(ref.num_params for ref in refs),
        accounted_params=accounted_params(refs, users, shop.task.name),
        flops=shop.programs.family.flops(blueprint.specs),
    )


def _provisional(shop: Workshop, layer: LayerPlan) -> ComponentRef:
    if layer.source is not None and not layer.trainable:
        return replace(layer.source, trainable=False)
    size = num_params(shop.programs.family, layer.spec)
    return ComponentRef(
        id=f"new:{layer.spec.name}",
        name=layer.spec.name,
        num_params=size,
        size_bytes=0,
        trainable=True,
        operation=layer.operation,
        parent=None if layer.source is None else layer.source.id,
        training={} if layer.source is None else layer.source.training,
    )


def _store(shop: Workshop, blueprint: Blueprint, trained: Trained) -> tuple[ComponentRef, ...]:
    made = {
        slot.spec.name: (params, momentum)
        for slot, params, momentum in zip(blueprint.slots, trained.params, trained.momentum, strict=True)
        if slot.trainable
    }
    return tuple(_store_layer(shop, layer, made.get(layer.spec.name), trained) for layer in blueprint.layers)


def _store_layer(
    shop: Workshop, layer: LayerPlan, made: tuple[Arrays, Arrays] | None, trained: Trained
) -> ComponentRef:
    ref = _provisional(shop, layer)
    if made is None:
        return ref
    params, momentum = (_cropped(shop, layer, arrays) for arrays in made)
    component = Component(
        name=layer.spec.name,
        config=layer.spec.config,
        params=params,
        opt_state={f"momentum/{name}": array for name, array in momentum.items()},
    )
    oid, size_bytes = shop.save_component(component)
    shop.pool.add(oid, component)
    return replace(ref, id=oid, size_bytes=size_bytes, training=_trained_more(ref, shop.task.name, trained))


def _cropped(shop: Workshop, layer: LayerPlan, arrays: Arrays) -> dict[str, Any]:
    """Returns a layer's own part of its slot."""
    shapes = shop.programs.family.shapes(layer.spec)
    return {name: arrays[name][tuple(slice(0, size) for size in shape)] for name, (shape, _) in shapes.items()}


def _trained_more(ref: ComponentRef, task: str, trained: Trained) -> dict[str, Training]:
    before = ref.training.get(task, Training(steps=0, examples=0))
    after = Training(steps=before.steps + trained.steps, examples=before.examples + trained.examples)
    return {**ref.training, task: after}
