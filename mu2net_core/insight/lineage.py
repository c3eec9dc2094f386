"""Where each layer of a model comes from, back to the root.

A component is immutable, so every change to a layer is another component that names its parent. The model that made a
component is the oldest one on the line of parents that holds it; the next older component is found on that model's
own line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mu2net_core.objects import ComponentRef, Merge, Model, Mutation, Operation, Training

__all__ = ["Ancestor", "Chain", "ComponentLineage", "Step", "ancestors", "component_lineages", "model_chain"]

Chain = Sequence[tuple[str, Model]]
"""Model ids and manifests, newest first, each the child of the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One component on the line of a layer.

    Attributes:
        operation: how the component came to be.
        component: its id.
        merged: the second source, if it was merged from two; the only one, if it was taken over from another
            architecture's model.
        merged_task: whose model that is a layer of; None too if that is not known here.
        layer: what it was called in the model that made it.
        model: the model that made it.
        task: whose model that was; None for a root.
        added: gradient steps per task that this component has more than the one before it.
        training: what its whole lineage was trained with, per task.
    """

    operation: Operation
    component: str
    layer: str
    model: str
    task: str | None
    added: Mapping[str, int]
    training: Mapping[str, Training]
    merged: Merge | None = None
    merged_task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentLineage:
    """The line of one layer of a model.

    Attributes:
        layer: its name in the model.
        num_params: of the component.
        size_bytes: of the component's file.
        trainable: whether the model trained it; otherwise it is frozen, its parent's own.
        steps: newest first; the first is the model's own component.
        complete: whether the line reaches its beginning; it does not if an older manifest is not here.
    """

    layer: str
    num_params: int
    size_bytes: int
    trainable: bool
    steps: tuple[Step, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """One model on the line of parents, and what changed in it."""

    model: str
    task: str | None
    quality: float | None
    mutations: tuple[Mutation, ...]


def model_chain(model_id: str, model_fn: Callable[[str], Model | None]) -> tuple[tuple[str, Model], ...]:
    """Returns the model and its parents, newest first, as far as ``model_fn`` knows them.

    Args:
        model_id: where to begin.
        model_fn: returns a manifest by id, or None if it is not here.
    """
    chain: list[tuple[str, Model]] = []
    following: str | None = model_id
    while following is not None and (model := model_fn(following)) is not None:
        chain.append((following, model))
        following = model.parent
    return tuple(chain)


def ancestors(chain: Chain) -> tuple[Ancestor, ...]:
    """Returns the line of parents, newest first, the model itself included."""
    return tuple(
        Ancestor(model=oid, task=model.task, quality=model.quality, mutations=model.mutations) for oid, model in chain
    )


def component_lineages(chain: Chain, model_fn: Callable[[str], Model | None]) -> tuple[ComponentLineage, ...]:
    """Returns the line of each layer of the newest model in ``chain``, in the model's order.

    It is that of first sources: where a layer was merged, the step tells the second one. Where it was taken over, the
    line goes on in the model that it is from.

    Args:
        chain: of the model.
        model_fn: returns a manifest by id, or None if it is not here.
    """
    refs = _refs(chain)
    return tuple(_lineage(ref, chain, refs, model_fn) for ref in chain[0][1].components)


def _refs(chain: Chain) -> list[dict[str, ComponentRef]]:
    return [{ref.id: ref for ref in model.components} for _, model in chain]


def _lineage(
    ref: ComponentRef,
    chain: Chain,
    refs: Sequence[Mapping[str, ComponentRef]],
    model_fn: Callable[[str], Model | None],
) -> ComponentLineage:
    steps: list[Step] = []
    made = ref
    following: str | None = ref.id
    place, met = 0, set[str]()
    while following is not None and following not in met:  # what manifests say of parents may go in circles
        met.add(following)
        found = _origin(following, refs, place)
        if found is None:
            break
        place, made = found
        maker_id, maker = chain[place]
        taken_over = (maker.merges or {}).get(made.name) if made.operation == "cross" else None
        if taken_over is not None:
            chain, place = model_chain(taken_over.model, model_fn), 0
            refs = _refs(chain)
        steps.append(_step(made, _parent_ref(made, refs, place), maker_id, maker, model_fn))
        following = made.parent
    return ComponentLineage(
        layer=ref.name,
        num_params=ref.num_params,
        size_bytes=ref.size_bytes,
        trainable=ref.trainable,
        steps=tuple(steps),
        complete=following is None and (made.trainable or chain[place][1].parent is None),
    )


def _origin(component: str, refs: Sequence[Mapping[str, ComponentRef]], start: int) -> tuple[int, ComponentRef] | None:
    """Returns the place of the oldest model, of the next unbroken run that holds the component, and its reference."""
    place = next((k for k in range(start, len(refs)) if component in refs[k]), None)
    if place is None:
        return None
    while place + 1 < len(refs) and component in refs[place + 1]:
        place += 1
    return place, refs[place][component]


def _parent_ref(made: ComponentRef, refs: Sequence[Mapping[str, ComponentRef]], place: int) -> ComponentRef | None:
    if made.parent is None:
        return None
    return next((refs[k][made.parent] for k in range(place, len(refs)) if made.parent in refs[k]), None)


def _step(
    made: ComponentRef,
    before: ComponentRef | None,
    model_id: str,
    model: Model,
    model_fn: Callable[[str], Model | None],
) -> Step:
    merged = (model.merges or {}).get(made.name)
    other = None if merged is None else model_fn(merged.model)
    earlier = before.training if before is not None else {}
    added = {
        task: training.steps - (earlier[task].steps if task in earlier else 0)
        for task, training in sorted(made.training.items())
    }
    return Step(
        operation=made.operation,
        component=made.id,
        layer=made.name,
        model=model_id,
        task=model.task,
        added={task: steps for task, steps in added.items() if steps},
        training=made.training,
        merged=merged,
        merged_task=None if other is None else other.task,
    )
