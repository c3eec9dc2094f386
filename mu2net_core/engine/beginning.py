"""What the layers of a child begin with, on the host, as large as their slots in the trained program."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mu2net_core.engine.optimizer import Remembered, recalled
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.slots import LayerPlan, Slot, SlotRow
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import ArchitectureFamily, Arrays, LayerSpec, Shapes
from mu2net_core.search import Merging
from mu2net_core.seeds import derive_seed

__all__ = ["begin", "begun_layer", "padded"]


def begin(
    row: SlotRow, seed: int, pool: ComponentPool, family: ArchitectureFamily, *, optimizer: str, adaptive: bool
) -> tuple[tuple[Arrays, ...], tuple[Remembered, ...]]:
    """Returns the parameters that a child's slots begin with, and what its optimizer remembers of them.

    In a row of the child's own nothing is remembered of what it does not train.

    Args:
        row: of slots.
        seed: decides what is drawn.
        pool: of components.
        family: of the layers.
        optimizer: that trains the child.
        adaptive: whether its program keeps moments.
    """
    begun = [(slot, *_begin(slot.layer, seed, pool, family)) for slot in row.slots]

    def remembered(slot: Slot, stored: Arrays) -> Remembered:
        if row.is_own and not slot.trainable:
            return {}
        found: Remembered = recalled(
            stored, optimizer, lambda arrays: _sized(arrays, family.shapes(slot.spec)), adaptive=adaptive
        )
        return found

    return (
        tuple(padded(params, slot.spec, family) for slot, params, _ in begun),
        tuple(remembered(slot, stored) for slot, _, stored in begun),
    )


def padded(arrays: Arrays, spec: LayerSpec, family: ArchitectureFamily) -> Arrays:
    """Returns a layer's parameters as large as ``spec``, its slot, such that it computes the same."""
    return _sized(arrays, family.shapes(spec), lambda name: family.padding(spec, name))


def begun_layer(layer: LayerPlan, seed: int, pool: ComponentPool, family: ArchitectureFamily) -> Arrays:
    """Returns the parameters that one layer begins with; arguments as of ``begin``."""
    return _begin(layer, seed, pool, family)[0]


def _begin(
    layer: LayerPlan | None, seed: int, pool: ComponentPool, family: ArchitectureFamily
) -> tuple[Arrays, Arrays]:
    if layer is None:
        return {}, {}
    rng = np.random.Generator(np.random.Philox(derive_seed(seed, "init", layer.spec.name)))
    if layer.source is None:
        return family.init(layer.spec, rng, identity=layer.identity), {}
    component = pool.component(layer.source.id)
    if layer.is_adapted:
        arrays = family.adapted(layer.spec, component.params, rng)
        shapes = {name: shape for name, (shape, _) in family.shapes(layer.spec).items()}
        if {name: array.shape for name, array in arrays.items()} != shapes:
            where = f"Component {layer.source.id[:10]} ({layer.spec.name})"
            raise CorruptObjectError(f"{where} cannot be made to fit {shapes}.")
        return arrays, {}
    if not layer.trainable:
        return component.params, {}
    if layer.merging is None:
        return component.params, component.opt_state
    return _merged(layer.merging, component.params, pool), {}


def _merged(merging: Merging, own: Arrays, pool: ComponentPool) -> Arrays:
    if merging.is_crossing:
        return own
    return _mean(own, pool.component(merging.partner.ref.id).params, merging.weight)


def _mean(one: Arrays, other: Arrays, weight: float) -> Arrays:
    """Returns the mean of two layers' arrays, ``weight`` that of the other; numbers that are the same stay so."""
    return {name: array + np.asarray(weight, array.dtype) * (other[name] - array) for name, array in one.items()}


def _sized(arrays: Arrays, shapes: Shapes, filled: Callable[[str], float] = lambda _name: 0.0) -> Arrays:
    """Returns arrays of the wanted shapes, with ``filled`` at the end of every axis and for what is missing."""
    sized = {}
    for name, (shape, dtype) in shapes.items():
        found = arrays.get(name)
        if found is None or found.shape != shape:
            value = filled(name)
            room = np.full(shape, value, dtype) if value else np.zeros(shape, dtype)  # whose memory comes as it is read
            if found is not None:
                room[tuple(slice(0, size) for size in found.shape)] = found
            found = room
        sized[name] = np.asarray(found, dtype)
    return sized
