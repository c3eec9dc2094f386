"""What the layers of a child begin with, on the host, as large as their slots in the trained program."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.slots import LayerPlan, SlotRow
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import ArchitectureFamily, Arrays, LayerSpec, Shapes
from mu2net_core.seeds import derive_seed

__all__ = ["begin", "padded"]


def begin(
    row: SlotRow, seed: int, pool: ComponentPool, family: ArchitectureFamily
) -> tuple[tuple[Arrays, ...], tuple[Arrays, ...]]:
    """Returns the parameters and momentum that a child's slots begin with; ``seed`` decides what is drawn.

    In a row of the child's own what it does not train has no momentum.
    """
    begun = [(slot, *_begin(slot.layer, seed, pool, family)) for slot in row.slots]
    return (
        tuple(padded(params, slot.spec, family) for slot, params, _ in begun),
        tuple(
            {} if row.is_own and not slot.trainable else _sized(momentum, family.shapes(slot.spec))
            for slot, _, momentum in begun
        ),
    )


def padded(arrays: Arrays, spec: LayerSpec, family: ArchitectureFamily) -> Arrays:
    """Returns a layer's parameters as large as ``spec``, its slot, such that it computes the same."""
    return _sized(arrays, family.shapes(spec), lambda name: family.padding(spec, name))


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
    state = {name: component.opt_state.get(f"momentum/{name}") for name in component.params}
    return component.params, {name: array for name, array in state.items() if array is not None}


def _sized(arrays: Arrays, shapes: Shapes, filled: Callable[[str], float] = lambda _name: 0.0) -> Arrays:
    """Returns arrays of the wanted shapes, with ``filled`` at the end of every axis and for what is missing."""
    sized = {}
    for name, (shape, dtype) in shapes.items():
        found = arrays.get(name)
        if found is None or found.shape != shape:
            room = np.full(shape, filled(name), dtype)
            if found is not None:
                room[tuple(slice(0, size) for size in found.shape)] = found
            found = room
        sized[name] = np.asarray(found, dtype)
    return sized
