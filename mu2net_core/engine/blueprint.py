"""From a plan to a blueprint: for each layer of the child, where its numbers come from and whether it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

from mu2net_core.engine.slots import LayerPlan, Room, Slot, SlotRow, own_row, shared_row
from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import ArchitectureFamily, LayerSpec
from mu2net_core.objects import ComponentRef, Hyperparameter, Model, Mutation, Operation, Training
from mu2net_core.search import ChildPlan, Partner

__all__ = [
    "Blueprint",
    "draw_blueprint",
    "lineage",
    "num_params",
    "onward_blueprint",
    "provisional_ref",
    "steps_of_its_own",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A child's layers: a frozen part, and the slots above the gradient boundary that gradients pass through."""

    layers: tuple[LayerPlan, ...]
    frozen: tuple[LayerPlan, ...]
    row: SlotRow

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots, some of which may be empty."""
        return self.row.slots

    @property
    def specs(self) -> tuple[LayerSpec, ...]:
        """Every layer's spec, in order."""
        return tuple(layer.spec for layer in self.layers)


def draw_blueprint(
    plan: ChildPlan,
    *,
    task: str,
    num_outputs: int,
    family: ArchitectureFamily,
    ancestors: Iterable[Model],
    usable: Callable[[ComponentRef], bool],
    owned: Callable[[ComponentRef], bool] = lambda _ref: False,
    spec_of: Callable[[Partner], LayerSpec | None] = lambda _partner: None,
    room: Room = Room(),  # noqa: B008 - frozen
) -> Blueprint:
    """Returns how to build the child that ``plan`` asks for.

    A layer the parent has is merged with another model's, or replaced by it, if the plan says so and both are of one
    kind and size. It is cloned if the plan says so, if every child trains it, if nobody has trained it yet or if it is
    the task's own, otherwise frozen, the parent's own. The head comes from the parent if the parent solves the same
    task, else from the nearest ancestor that does, else it is new; so do other layers ``of_task``. A layer the parent
    lacks, or has in another size, comes from the nearest ancestor that had it; else the parent's is made to fit, as
    layers of its kind are (positions are interpolated, a block grows); else it is new. What a change of structure adds
    is new in any case, and passes on what it gets.

    Args:
        plan: from the search.
        task: the active task.
        num_outputs: of the active task's models.
        family: of the architecture.
        ancestors: models on the parent's lineage whose arrays still exist, the parent first.
        usable: whether the active task may read a component.
        owned: whether a component of the parent is the active task's alone.
        spec_of: returns what layer a partner of a merge is, None if nobody knows.
        room: what other children should be trained by the same program.
    """
    config = plan.parent.model.architecture.config
    specs, parents = family.layers(config, plan.hyperparameters, num_outputs), tuple(ancestors)
    layers = tuple(_layer(spec, plan, task, family, parents, usable, owned, spec_of) for spec in specs)
    return _assembled(layers, config, plan.hyperparameters, family, room)


def onward_blueprint(
    model: Model,
    *,
    num_outputs: int,
    family: ArchitectureFamily,
    room: Room = Room(),  # noqa: B008 - frozen
) -> Blueprint:
    """Returns how the layers that a stored model trained itself are trained on from where they are.

    Args:
        model: as it is stored.
        num_outputs: of its task's models.
        family: of its architecture.
        room: what other children should be trained by the same program.
    """
    specs = family.layers(model.architecture.config, model.hyperparameters, num_outputs)
    layers = tuple(
        LayerPlan(spec=spec, source=ref, trainable=ref.trainable, operation="clone" if ref.trainable else ref.operation)
        for spec, ref in zip(specs, model.components, strict=True)
    )
    return _assembled(layers, model.architecture.config, model.hyperparameters, family, room)


def steps_of_its_own(model: Model, known: Mapping[str, ComponentRef]) -> int:
    """Returns in how many steps a stored model was trained itself, as its layers tell that were not merged.

    Args:
        model: as it is stored.
        known: components by id, those that these layers began as among them.
    """
    none, task, found = Training(steps=0, examples=0), model.task or "", [0]
    for ref in model.components:
        if ref.trainable and ref.name not in (model.merges or {}):
            before = none if ref.parent is None else known[ref.parent].training.get(task, none)
            found.append(ref.training.get(task, none).steps - before.steps)
    return max(found)


def _assembled(
    layers: tuple[LayerPlan, ...],
    config: Mapping[str, Any],
    hyperparameters: Mapping[str, Hyperparameter],
    family: ArchitectureFamily,
    room: Room,
) -> Blueprint:
    """Returns a child of these layers, in the row of slots that it is trained in."""
    specs = [layer.spec for layer in layers]
    placed = {layer.spec.name: layer for layer in layers}
    roomy = family.slots(specs, room.kinds)
    if not room.outputs:
        roomy = (*roomy[:-1], specs[-1])
    slots = tuple(Slot(spec=spec, layer=placed.get(spec.name)) for spec in roomy)
    lowest = next(index for index, slot in enumerate(slots) if slot.trainable)
    boundary = max(cut for cut in family.cuts([slot.spec for slot in slots]) if cut <= lowest)
    below = {slot.spec.name for slot in slots[:boundary]}
    above = slots[boundary:]
    if room.pays(family, [slot.layer.spec for slot in above if slot.layer is not None]):
        group, at = _block(config, hyperparameters, family, room)
        row = shared_row(above, group, at - boundary, room.blocks or 0)
    else:
        row = own_row(above)
    frozen = tuple(layer for layer in layers if layer.spec.name in below)
    return Blueprint(layers=layers, frozen=frozen, row=row)


def _block(
    config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], family: ArchitectureFamily, room: Room
) -> tuple[tuple[LayerSpec, ...], int]:
    """Returns the slots that one more block takes, and where in the row of a whole model blocks begin.

    No slots where there is no model without blocks.
    """

    def slots(blocks: int) -> tuple[LayerSpec, ...]:
        deep = {**hyperparameters, family.vocabulary.depth: blocks}
        return family.slots(family.layers(config, deep, 1), room.kinds)

    if not room.blocks:
        return (), 0
    most = slots(room.blocks)
    try:
        none, less = ({spec.name for spec in slots(blocks)} for blocks in (0, room.blocks - 1))
    except InvalidInputError:
        return (), 0
    begin = next((index for index, spec in enumerate(most) if spec.name not in none), 0)
    return tuple(spec for spec in most if spec.name not in less), begin


def lineage(model: Model, manifests: Mapping[str, Model], retained: Callable[[str], bool]) -> list[Model]:
    """Returns ``model`` and its ancestors, nearest first, leaving out those whose arrays no longer exist."""
    chain, oid = [model], model.parent
    while oid is not None and (ancestor := manifests.get(oid)) is not None:
        if retained(oid):
            chain.append(ancestor)
        oid = ancestor.parent
    return chain


def _layer(
    spec: LayerSpec,
    plan: ChildPlan,
    task: str,
    family: ArchitectureFamily,
    ancestors: tuple[Model, ...],
    usable: Callable[[ComponentRef], bool],
    owned: Callable[[ComponentRef], bool],
    spec_of: Callable[[Partner], LayerSpec | None],
) -> LayerPlan:
    is_of_task = spec.name == family.head or spec.name in family.of_task
    own = None if is_of_task else plan.parent.model.component(spec.name)
    if own is not None and not usable(own):
        own = None
    merging = plan.merges.get(spec.name)
    if merging is not None and not (usable(merging.partner.ref) and _is_alike(spec_of(merging.partner), spec)):
        merging = None
    if merging is not None and merging.is_crossing:
        return LayerPlan(spec=spec, source=merging.partner.ref, trainable=True, operation="cross", merging=merging)
    if own is not None and own.num_params == num_params(family, spec):
        if merging is not None:
            return LayerPlan(spec=spec, source=own, trainable=True, operation="merge", merging=merging)
        trainable = spec.name in plan.clones | family.always_trainable or own.is_untrained or owned(own)
        return LayerPlan(spec=spec, source=own, trainable=trainable, operation="clone" if trainable else own.operation)
    added = _addition(spec, plan.mutations, plan.hyperparameters, family)
    source = None if added else _inherited(spec, family, _lines(ancestors, task if is_of_task else None), usable)
    if source is not None:
        return LayerPlan(spec=spec, source=source, trainable=True, operation="clone" if is_of_task else "insert")
    if own is not None:
        return LayerPlan(spec=spec, source=own, trainable=True, operation=family.kind(spec).fitted)
    operation: Operation = "grow" if added is not None and added.name.startswith("grow:") else "new"
    return LayerPlan(spec=spec, source=None, trainable=True, operation=operation, identity=added is not None)


def _addition(
    spec: LayerSpec,
    mutations: Iterable[Mutation],
    hyperparameters: Mapping[str, Hyperparameter],
    family: ArchitectureFamily,
) -> Mutation | None:
    """Returns the mutation that added a layer, None if none did."""
    return next((one for one in mutations if family.added(one.name, hyperparameters) == spec.name), None)


def _is_alike(partner: LayerSpec | None, spec: LayerSpec) -> bool:
    """Returns whether two layers are of one kind and size, and compute alike."""
    return partner is not None and partner.config == spec.config


def _lines(ancestors: tuple[Model, ...], task: str | None) -> list[Model]:
    return [model for model in ancestors if task is None or model.task == task]


def _inherited(
    spec: LayerSpec, family: ArchitectureFamily, models: list[Model], usable: Callable[[ComponentRef], bool]
) -> ComponentRef | None:
    wanted = num_params(family, spec)
    refs = (model.component(spec.name) for model in models)
    return next((ref for ref in refs if ref is not None and ref.num_params == wanted and usable(ref)), None)


@cache
def num_params(family: ArchitectureFamily, spec: LayerSpec) -> int:
    """Returns how many numbers a layer has, without making them."""
    return sum(prod(shape) for shape, _ in family.shapes(spec).values())


def provisional_ref(family: ArchitectureFamily, layer: LayerPlan) -> ComponentRef:
    """Returns a layer's place in the child's model before it is trained; its id is to come if it will be."""
    if layer.source is not None and not layer.trainable:
        return replace(layer.source, trainable=False)
    return ComponentRef(
        id=f"new:{layer.spec.name}",
        name=layer.spec.name,
        num_params=num_params(family, layer.spec),
        size_bytes=0,
        trainable=True,
        operation=layer.operation,
        parent=None if layer.source is None else layer.source.id,
        training=_training(layer),
    )


def _training(layer: LayerPlan) -> Mapping[str, Training]:
    """Returns what all that a layer starts from was trained with."""
    if layer.merging is not None:
        return layer.merging.partner.training
    return {} if layer.source is None else layer.source.training
