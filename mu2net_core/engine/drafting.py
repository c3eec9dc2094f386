"""The children of a generation before they are trained: how each is built, what it costs, who is trained together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mu2net_core.engine.blueprint import (
    Blueprint,
    draw_blueprint,
    lineage,
    onward_blueprint,
    provisional_ref,
    steps_of_its_own,
)
from mu2net_core.engine.child import Job
from mu2net_core.engine.fitting import check_adaptable, check_component
from mu2net_core.engine.optimizer import ADAMW, optimizer_of
from mu2net_core.engine.slots import LayerPlan, Room
from mu2net_core.engine.workshop import Workshop
from mu2net_core.nn import InputSpec, LayerSpec, family_named
from mu2net_core.objects import ComponentRef, Costs, Hyperparameter, Model, System, may_read
from mu2net_core.scoring import score
from mu2net_core.search import ChildPlan, Holdings, Partner, Population

__all__ = ["Draft", "bring_sources", "draft_all", "grouped", "onward"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A child that is about to be trained.

    Attributes:
        child: its number in the generation.
        plan: from the search.
        blueprint: how it is built.
        costs: that its score accounts.
        job: its training.
        input_spec: what it takes.
        preparation: hyperparameters of how its examples are prepared.
    """

    child: int
    plan: ChildPlan
    blueprint: Blueprint
    costs: Costs
    job: Job
    input_spec: InputSpec
    preparation: tuple[tuple[str, Hyperparameter | None], ...]

    @property
    def alike(self) -> tuple[Any, ...]:
        """Children that agree in this can be trained together: by one program, on the same examples."""
        below = tuple(layer.source.id for layer in self.blueprint.frozen if layer.source is not None)
        row = self.blueprint.row
        return (self.input_spec, self.preparation, below, row.shape(together=True), row.variant, self.job.adaptive)


def draft_all(
    shop: Workshop, plans: tuple[ChildPlan, ...], population: Population, system: System
) -> tuple[Draft, ...]:
    """Returns how the children of a generation are built, and what their scores will account; reads no array."""
    own = (*population.past, *population.members)
    others = {**system.ancestors, **system.retained(), **system.strangers}
    manifests = {**others, **{member.id: member.model for member in own}}
    alive = {member.id for member in population.members}
    shared = sorted(shop.space.shared)
    holdings = Holdings.of(system, shop.task.name)
    depth = shop.programs.family.vocabulary.depth
    deepest = max((int(plan.hyperparameters.get(depth, 0)) for plan in plans), default=0)
    room = Room.of(shop.preset, shop.programs.family, shop.objective).enough(deepest)

    def spec_of(partner: Partner) -> LayerSpec | None:
        model = manifests.get(partner.model)
        if model is None:
            return None
        own, name = shop.programs.family, model.architecture.name
        family = own if name == own.name else family_named(name)
        specs = family.layers(model.architecture.config, model.hyperparameters, 1)
        return next((spec for spec in specs if spec.name == partner.ref.name), None)

    def draw(child: int, plan: ChildPlan) -> Draft:
        blueprint = draw_blueprint(
            plan,
            task=shop.task.name,
            num_outputs=shop.task.output.size,
            family=shop.programs.family,
            ancestors=lineage(plan.parent.model, manifests, lambda oid: oid in alive or system.keeps(oid)),
            usable=lambda ref: may_read(shop.task.name, ref.training, system.rules),
            owned=lambda ref: holdings.owns(plan.parent.model, ref),
            spec_of=spec_of,
            room=room,
        )
        plan, costs = _as_built(plan, blueprint), _costs(shop, blueprint, holdings)
        return Draft(
            child=child,
            plan=plan,
            blueprint=blueprint,
            costs=costs,
            job=_job(shop, plan, blueprint, costs),
            input_spec=shop.programs.family.input(plan.parent.model.architecture.config, plan.hyperparameters),
            preparation=tuple((name, plan.hyperparameters.get(name)) for name in shared),
        )

    return tuple(draw(child, plan) for child, plan in enumerate(plans))


def onward(shop: Workshop, model: Model, find: Callable[[str], Model | None]) -> tuple[Job, int] | None:
    """Returns the training of a stored model from where it is, and of how many steps it was; None if nobody knows that.

    Args:
        shop: of its task.
        model: as it is stored.
        find: returns the manifest of a model that it descends from, None if it is gone.
    """
    merged = model.merges or {}
    needed = {ref.parent for ref in model.components if ref.trainable and ref.name not in merged} - {None}
    known, line, seen = dict[str, ComponentRef](), [model], set[str]()
    for one in line:  # grows while it is walked
        if needed <= known.keys():
            break
        known |= {ref.id: ref for ref in one.components}
        fresh = [oid for oid in one.sources if oid not in seen]
        seen.update(fresh)
        line += filter(None, map(find, fresh))
    family = shop.programs.family
    if model.seed is None or not needed <= known.keys():
        return None
    room = Room.of(shop.preset, family, shop.objective)
    blueprint = onward_blueprint(
        model,
        num_outputs=shop.task.output.size,
        family=family,
        room=room.enough(int(model.hyperparameters.get(family.vocabulary.depth, 0))),
    )
    job = Job(
        blueprint=blueprint,
        hyperparameters=model.hyperparameters,
        seed=model.seed,
        adaptive=_is_adaptive(shop, blueprint, model.hyperparameters),
        worth_keeping=lambda _quality: True,
    )
    return job, steps_of_its_own(model, known)


def bring_sources(shop: Workshop, layers: Sequence[LayerPlan]) -> None:
    """Gets the components ready that layers start from, all together, and checks each.

    Raises:
        CorruptObjectError: one is not of its layer, and of none that can be made to fit.
    """
    found = [(layer, source) for layer in layers for source in layer.sources]
    shop.pool.prepare(source for _, source in found)
    for layer, source in found:
        check = check_adaptable if layer.is_adapted else check_component
        check(shop.programs.family, layer.spec, shop.pool.component(source.id), source.id)


def _as_built(plan: ChildPlan, blueprint: Blueprint) -> ChildPlan:
    """Returns the plan without copies and merges of layers that it also removes, or that do not fit after all."""
    gone = plan.clones - {spec.name for spec in blueprint.specs}
    merged = {layer.spec.name for layer in blueprint.layers if layer.merging is not None}
    lost = {f"clone:{name}" for name in gone}
    lost |= {f"{kind}:{name}" for name in plan.merges.keys() - merged for kind in ("merge", "cross")}
    left = tuple(mutation for mutation in plan.mutations if mutation.name not in lost)
    merges = {name: merging for name, merging in plan.merges.items() if name in merged}
    return replace(plan, clones=plan.clones - gone, mutations=left, merges=merges)


def _job(shop: Workshop, plan: ChildPlan, blueprint: Blueprint, costs: Costs) -> Job:
    parent, scorer = plan.parent.model, shop.preset.scorer
    floor = parent.score if parent.task == shop.task.name and parent.scorer == scorer else None
    return Job(
        blueprint=blueprint,
        hyperparameters=plan.hyperparameters,
        seed=plan.seed,
        adaptive=_is_adaptive(shop, blueprint, plan.hyperparameters),
        worth_keeping=lambda quality: floor is None or score(quality, costs, scorer) >= floor,
    )


def _is_adaptive(shop: Workshop, blueprint: Blueprint, hyperparameters: Mapping[str, Hyperparameter]) -> bool:
    """Returns whether a child's program keeps what AdamW remembers."""
    optimizers = {optimizer_of(hyperparameters)}
    if not blueprint.row.is_own:  # it shares its program with children of other optimizers
        optimizers.update(map(str, shop.preset.space.values.get("optimizer", ())))
    return ADAMW in optimizers


def grouped(drawn: Sequence[Draft], together: int) -> list[list[Draft]]:
    """Returns the children that are trained together, those that come first first."""
    alike: dict[tuple[Any, ...], list[Draft]] = {}
    for one in drawn:
        alike.setdefault(one.alike if together > 1 else (one.child,), []).append(one)
    groups = [found[at : at + together] for found in alike.values() for at in range(0, len(found), together)]
    return sorted(groups, key=lambda group: group[0].child)


def _costs(shop: Workshop, blueprint: Blueprint, holdings: Holdings) -> Costs:
    refs = [provisional_ref(shop.programs.family, layer) for layer in blueprint.layers]
    return Costs(
        params=sum(ref.num_params for ref in refs),
        accounted_params=holdings.share_of(refs),
        flops=shop.programs.family.flops(blueprint.specs),
    )
