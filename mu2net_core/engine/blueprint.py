"""From a plan to a blueprint: for each layer of the child, where its numbers come from and whether it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod

import jax

from mu2net_core.nn import ArchitectureFamily, LayerSpec
from mu2net_core.objects import Architecture, ComponentRef, Model
from mu2net_core.objects.component import Operation
from mu2net_core.search import ChildPlan

__all__ = ["Blueprint", "LayerPlan", "draw_blueprint", "layer_shapes", "lineage", "num_params"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One layer of a child.

    Attributes:
        spec: the layer.
        source: the component it shares or starts from; None for a random start.
        trainable: whether the child trains it; otherwise it shares ``source``.
        operation: how a trained layer came to be.
    """

    spec: LayerSpec
    source: ComponentRef | None
    trainable: bool
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A child's layers, cut into a frozen part below ``boundary`` and a part gradients pass through."""

    layers: tuple[LayerPlan, ...]
    boundary: int

    @property
    def specs(self) -> tuple[LayerSpec, ...]:
        """Every layer's spec, in order."""
        return tuple(layer.spec for layer in self.layers)


def draw_blueprint(
    plan: ChildPlan,
    *,
    task: str,
    num_classes: int,
    family: ArchitectureFamily,
    ancestors: Iterable[Model],
    usable: Callable[[ComponentRef], bool],
) -> Blueprint:
    """Returns how to build the child that ``plan`` asks for.

    A layer the parent has is cloned if the plan says so or every child trains it, otherwise shared. The head comes
    from the parent if the parent solves the same task, else from the nearest ancestor that does, else it is new. A
    block the parent lacks comes from the nearest ancestor that had one at that depth, else it is new.

    Args:
        plan: from the search.
        task: the active task.
        num_classes: of the active task.
        family: of the architecture.
        ancestors: models on the parent's lineage whose arrays still exist, the parent first.
        usable: whether the active task may read a component.
    """
    architecture: Architecture = plan.parent.model.architecture
    specs = family.layers(architecture.config, plan.hyperparameters, num_classes)
    parents = tuple(ancestors)
    layers = tuple(_layer(spec, plan, task, family, parents, usable) for spec in specs)
    lowest = next(index for index, layer in enumerate(layers) if layer.trainable)
    boundary = max(cut for cut in family.cuts(specs) if cut <= lowest)
    return Blueprint(layers=layers, boundary=boundary)


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
) -> LayerPlan:
    is_head = spec.name == family.head
    own = None if is_head else plan.parent.model.component(spec.name)
    if own is not None and not usable(own):
        own = None
    if own is not None:
        trainable = spec.name in plan.clones or spec.name in family.always_trainable
        return LayerPlan(spec=spec, source=own, trainable=trainable, operation="clone" if trainable else own.operation)
    source = _inherited(spec, family, [m for m in ancestors if not is_head or m.task == task], usable)
    if source is None:
        return LayerPlan(spec=spec, source=None, trainable=True, operation="new")
    return LayerPlan(spec=spec, source=source, trainable=True, operation="clone" if is_head else "insert")


def _inherited(
    spec: LayerSpec, family: ArchitectureFamily, models: list[Model], usable: Callable[[ComponentRef], bool]
) -> ComponentRef | None:
    wanted = num_params(family, spec)
    refs = (model.component(spec.name) for model in models)
    return next((ref for ref in refs if ref is not None and ref.num_params == wanted and usable(ref)), None)


@cache
def num_params(family: ArchitectureFamily, spec: LayerSpec) -> int:
    """Returns how many numbers a layer has, without making them."""
    return sum(prod(shape) for shape, _ in layer_shapes(family, spec).values())


@cache
def layer_shapes(family: ArchitectureFamily, spec: LayerSpec) -> Mapping[str, tuple[tuple[int, ...], str]]:
    """Returns shape and number type of a layer's arrays by name, without making them."""
    shapes = jax.eval_shape(lambda key: dict(family.init(spec, key)), jax.random.key(0))
    return {name: (tuple(shape.shape), shape.dtype.name) for name, shape in shapes.items()}
