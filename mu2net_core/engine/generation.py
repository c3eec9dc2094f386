"""One generation: plans become arrays, are trained, and come back as models that are kept or dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from mu2net_core.engine.blueprint import Blueprint, LayerPlan, draw_blueprint, lineage, num_params
from mu2net_core.engine.child import TaskData, Trained, train_child
from mu2net_core.engine.events import Outcome
from mu2net_core.engine.fitting import check_component
from mu2net_core.engine.pool import ComponentPool, to_host
from mu2net_core.engine.programs import Programs
from mu2net_core.objects import Component, ComponentRef, Costs, Model, System, Task, Training, may_read
from mu2net_core.presets import Preset
from mu2net_core.search import ChildPlan, Member, Population, account, accounted_params, score

__all__ = ["ChildResult", "Workshop", "train_generation"]

SaveComponent = Callable[[Component], tuple[str, int]]
"""Stores a component; returns its id and size in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """All that stays the same while an agent works on one task.

    Attributes:
        task: the active task.
        task_id: its object.
        preset: the repository's preset with its settings applied.
        data: the task's examples on the device.
        programs: compiled programs.
        pool: components in memory.
        save_component: stores what was trained.
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
    """What became of one child; ``member`` is None if it was discarded."""

    outcome: Outcome
    quality: float | None
    score: float | None
    member: Member | None
    wall_s: float


def train_generation(
    shop: Workshop, plans: tuple[ChildPlan, ...], population: Population, system: System
) -> Iterator[ChildResult]:
    """Yields the result of each plan, in order; nothing a parent holds is ever changed."""
    own = (*population.past, *population.members)
    manifests = {**system.ancestors, **system.retained(), **{member.id: member.model for member in own}}
    alive = {member.id for member in population.members}

    def retained(oid: str) -> bool:
        return oid in alive or system.keeps(oid)

    users = account(head.model for head in system.heads.values() if head.model is not None)
    for plan in plans:
        began = time.perf_counter()
        blueprint = draw_blueprint(
            plan,
            task=shop.task.name,
            num_classes=shop.task.num_classes,
            family=shop.programs.family,
            ancestors=lineage(plan.parent.model, manifests, retained),
            usable=lambda ref: may_read(shop.task.name, ref.training, system.rules),
        )
        result = _train(shop, plan, blueprint, users)
        yield replace(result, wall_s=time.perf_counter() - began)


def _train(shop: Workshop, plan: ChildPlan, blueprint: Blueprint, users: Mapping[str, frozenset[str]]) -> ChildResult:
    parent = plan.parent.model
    costs = _costs(shop, blueprint, users)
    floor = parent.score if parent.task == shop.task.name and parent.scorer == shop.preset.scorer else None

    def score_of(quality: float) -> float:
        return score(quality, costs, shop.preset.scorer)

    shop.pool.prepare(layer.source for layer in blueprint.layers if layer.source is not None)
    for layer in blueprint.layers:
        if layer.source is not None:
            check_component(shop.programs.family, layer.spec, shop.pool.component(layer.source.id), layer.source.id)
    trained = train_child(
        blueprint,
        plan.hyperparameters,
        data=shop.data,
        pool=shop.pool,
        programs=shop.programs,
        config=shop.preset.training,
        seed=plan.seed,
        worth_keeping=lambda quality: floor is None or score_of(quality) >= floor,
    )
    if not trained.finite:
        return ChildResult(outcome="nan", quality=None, score=None, member=None, wall_s=0.0)
    best = max(trained.curve) if trained.best_cycle is None else trained.curve[trained.best_cycle]
    if trained.best_cycle is None:
        return ChildResult(outcome="score", quality=best, score=score_of(best), member=None, wall_s=0.0)
    model = Model(
        task=shop.task.name,
        task_id=shop.task_id,
        architecture=parent.architecture,
        root=parent.root or plan.parent.id,
        components=_store(shop, blueprint, trained),
        hyperparameters=plan.hyperparameters,
        mutation_rates=plan.mutation_rates,
        parent=plan.parent.id,
        mutations=plan.mutations,
        validation_curve=trained.curve,
        quality=best,
        score=score_of(best),
        scorer=shop.preset.scorer,
        costs=costs,
        seed=plan.seed,
        device_kind=shop.provenance["device"],
        versions={name: version for name, version in shop.provenance.items() if name != "device"},
    )
    member = Member(id=shop.model_id(model), model=model)
    return ChildResult(outcome="kept", quality=best, score=model.score, member=member, wall_s=0.0)


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
    refs = [_provisional(shop, layer) for layer in blueprint.layers[: blueprint.boundary]]
    above = zip(blueprint.layers[blueprint.boundary :], trained.params, trained.momentum, strict=True)
    for layer, params, momentum in above:
        ref = _provisional(shop, layer)
        if layer.trainable:
            component = Component(
                name=layer.spec.name,
                config=layer.spec.config,
                params=to_host(params),
                opt_state={f"momentum/{name}": array for name, array in to_host(momentum).items()},
            )
            oid, size_bytes = shop.save_component(component)
            shop.pool.add(oid, component)
            ref = replace(ref, id=oid, size_bytes=size_bytes, training=_trained_more(ref, shop.task.name, trained))
        refs.append(ref)
    return tuple(refs)


def _trained_more(ref: ComponentRef, task: str, trained: Trained) -> dict[str, Training]:
    before = ref.training.get(task, Training(steps=0, examples=0))
    after = Training(steps=before.steps + trained.steps, examples=before.examples + trained.examples)
    return {**ref.training, task: after}
