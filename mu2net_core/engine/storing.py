"""A trained child as a stored model, made beside the training of the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import reduce

import numpy as np

from mu2net_core.engine.blueprint import Blueprint, provisional_ref
from mu2net_core.engine.child import Trained
from mu2net_core.engine.drafting import Draft
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.placement import give_back_freed
from mu2net_core.engine.slots import LayerPlan
from mu2net_core.engine.workshop import Workshop
from mu2net_core.nn import Arrays
from mu2net_core.objects import LARGEST_COUNT, REFIT, Component, ComponentRef, Label, Model, Mutation, Training
from mu2net_core.scoring import score
from mu2net_core.search import Member

__all__ = ["Writer", "stored", "stored_refit"]

_WAITING_BYTES = 2**28
"""Of children that are trained and wait to be stored, at most."""
_NOT_TOLD = Training(steps=0, examples=0)


class Writer:
    """Stores children in a thread of its own, in order; few wait, because their arrays wait in memory."""

    def __init__(self, meter: Meter) -> None:
        """Begins with nothing to store; ``meter`` is told how long one had to wait."""
        self._thread, self._meter = ThreadPoolExecutor(1, "mu2net-store"), meter
        self._waiting: deque[tuple[Future[Member], int]] = deque()

    def submit(self, store: Callable[[], Member], size_bytes: int) -> Future[Member]:
        """Returns what ``store`` will return; waits until it and those that wait have room.

        One too large for that is stored when this returns.

        Raises:
            Exception: an earlier one could not be stored.
        """
        with self._meter.timing("wait"):
            self._wait(room=_WAITING_BYTES - size_bytes)
            storing = self._thread.submit(store)
            self._waiting.append((storing, size_bytes))
            if size_bytes > _WAITING_BYTES:
                self._wait(room=0)
                give_back_freed()
        return storing

    def close(self) -> None:
        """Waits until all is stored."""
        with self._meter.timing("wait"):
            self._thread.shutdown()

    def _wait(self, *, room: int) -> None:
        """Waits for the oldest until those that are left take no more than ``room``."""
        while self._waiting and sum(size for _, size in self._waiting) > room:
            self._waiting.popleft()[0].result()


def stored(shop: Workshop, one: Draft, trained: Trained) -> Member:
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
        merges={name: merging.told for name, merging in one.plan.merges.items()} or None,
        validation_curve=trained.curve,
        quality=quality,
        validation_examples=shop.validation_examples,
        score=score(quality, one.costs, shop.preset.scorer),
        scorer=shop.preset.scorer,
        costs=one.costs,
        seed=one.plan.seed,
        device_kind=shop.provenance["device"],
        versions={name: version for name, version in shop.provenance.items() if name != "device"},
    )
    return Member(id=shop.model_id(model), model=model)


def stored_refit(shop: Workshop, member: Member, blueprint: Blueprint, trained: Trained) -> Model:
    """Returns what a model became that was trained on, its components stored; of validations it says what it did."""
    provenance = shop.provenance
    return replace(
        member.model,
        components=_store(shop, blueprint, trained),
        parent=member.id,
        mutations=(Mutation(name=REFIT),),
        merges=None,
        test_quality=None,
        device_kind=provenance["device"],
        versions={name: version for name, version in provenance.items() if name != "device"},
    )


def _store(shop: Workshop, blueprint: Blueprint, trained: Trained) -> tuple[ComponentRef, ...]:
    made = {
        slot.spec.name: (params, opt_state)
        for slot, params, opt_state in zip(blueprint.slots, trained.params, trained.opt_state, strict=True)
        if slot.trainable
    }
    return tuple(_store_layer(shop, layer, made.get(layer.spec.name), trained) for layer in blueprint.layers)


def _store_layer(
    shop: Workshop, layer: LayerPlan, made: tuple[Arrays, Arrays] | None, trained: Trained
) -> ComponentRef:
    ref = provisional_ref(shop.programs.family, layer)
    labels = (shop.pool.component(source.id).label for source in layer.sources)
    before = reduce(Label.with_knowledge_of, labels, Label())
    if made is None:
        return replace(ref, training=_told(ref, before))
    component = Component(
        name=layer.spec.name,
        config=layer.spec.config,
        params=_cropped(shop, layer, made[0]),
        opt_state=_cropped(shop, layer, made[1]),
        label=before.taught(shop.task.name, shop.access),
    )
    oid, size_bytes = shop.save_component(component)
    shop.pool.add(oid, component)
    return replace(ref, id=oid, size_bytes=size_bytes, training=_trained_more(ref, before, shop.task.name, trained))


def _cropped(shop: Workshop, layer: LayerPlan, arrays: Arrays) -> dict[str, np.ndarray]:
    """Returns a layer's own part of its slot, also of what is kept of each array under ``<state>/<array>``."""
    sizes = {name: shape for name, (shape, _) in shop.programs.family.shapes(layer.spec).items()}

    def own(name: str, array: np.ndarray) -> np.ndarray:
        shape = sizes.get(name) or sizes.get(name.partition("/")[2]) or array.shape
        return array[tuple(slice(0, size) for size in shape)]

    return {name: own(name, array) for name, array in arrays.items()}


def _trained_more(ref: ComponentRef, label: Label, task: str, trained: Trained) -> dict[str, Training]:
    """Returns what the lineage of a component was trained with, this time included."""
    before = ref.training.get(task, _NOT_TOLD)
    steps, examples = before.steps + trained.steps, before.examples + trained.examples
    after = Training(steps=min(steps, LARGEST_COUNT), examples=min(examples, LARGEST_COUNT))
    return {**_told(ref, label), task: after}


def _told(ref: ComponentRef, label: Label) -> dict[str, Training]:
    """Returns what a manifest tells of a component's training, with the tasks it leaves out."""
    return {**dict.fromkeys(label.trained_by, _NOT_TOLD), **ref.training}
