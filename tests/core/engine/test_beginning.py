"""What layers begin with: drawn by name and seed, made to fit, and as large as their slots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mu2net_core.engine.beginning import begin, begun_layer, padded
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.slots import LayerPlan, Slot, SlotRow
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import Arrays, LayerSpec, VisionTransformer
from mu2net_core.objects import Component, ComponentRef
from mu2net_core.presets import PRESETS
from mu2net_core.testing.building.dense import DenseFamily

VIT, CONFIG = VisionTransformer(), PRESETS["vit-mini"].architecture.config
SMALL, LARGE = (
    {layer.kind: layer for layer in VIT.layers({**CONFIG, "image": side}, {"num_layers": 1}, 10)} for side in (16, 32)
)
POSITIONS = next(kind for kind, spec in SMALL.items() if VIT.shapes(spec) != VIT.shapes(LARGE[kind]))


def drawn(spec: LayerSpec, *, identity: bool = False) -> LayerPlan:
    return LayerPlan(spec=spec, source=None, trainable=True, operation="random", identity=identity)


def none_stored(_oid: str) -> Component:
    raise AssertionError("nothing was stored")


def block(name: str) -> LayerSpec:
    return LayerSpec.of(name, "block", inputs=4, outputs=4)


def kernel_of(layer: LayerPlan, seed: int) -> np.ndarray:
    return begun_layer(layer, seed, ComponentPool(none_stored), DenseFamily())["kernel"]


def test_what_is_drawn_is_decided_by_the_seed_and_the_layers_name() -> None:
    kernels = [kernel_of(drawn(block(name)), seed) for name, seed in (("a", 1), ("a", 1), ("a", 2), ("b", 1))]
    assert np.array_equal(kernels[0], kernels[1])
    assert len({kernel.tobytes() for kernel in kernels}) == 3


def test_a_layer_that_shall_change_nothing_at_first_passes_on_what_it_gets() -> None:
    assert not kernel_of(drawn(block("a"), identity=True), 1).any()
    assert kernel_of(drawn(block("a")), 1).all()


def adapted(spec: LayerSpec, source: LayerSpec) -> tuple[LayerPlan, ComponentPool, Component]:
    """Returns a layer that begins with what is stored of another size of it, and that."""
    params = VIT.init(source, np.random.default_rng(3))
    state = {f"momentum/{name}": np.ones_like(array) for name, array in params.items()}
    component = Component(name=source.name, config=source.config, params=params, opt_state=state)
    ref = ComponentRef(id="0" * 64, name=source.name, num_params=1, size_bytes=1, trainable=True, operation="clone")
    layer = LayerPlan(spec=spec, source=ref, trainable=True, operation="interpolate")
    return layer, ComponentPool(lambda _oid: component), component


class Drawing(DenseFamily):
    """Makes what is stored fit by drawing it anew."""

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        return {name: rng.normal(size=array.shape).astype("f4") for name, array in arrays.items()}


def test_what_making_a_layer_fit_draws_is_decided_by_the_seed_and_the_layers_name() -> None:
    component = Component(name="a", config={}, params=DenseFamily().init(block("a"), np.random.default_rng(3)))
    ref = ComponentRef(id="0" * 64, name="a", num_params=1, size_bytes=1, trainable=True, operation="clone")

    def kernel(name: str, seed: int) -> bytes:
        layer = LayerPlan(spec=block(name), source=ref, trainable=True, operation="interpolate")
        return begun_layer(layer, seed, ComponentPool(lambda _oid: component), Drawing())["kernel"].tobytes()

    found = [kernel(name, seed) for name, seed in (("a", 1), ("a", 1), ("a", 2), ("b", 1))]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_what_is_of_another_size_is_made_to_fit_and_its_optimizer_remembers_nothing() -> None:
    layer, pool, component = adapted(LARGE[POSITIONS], SMALL[POSITIONS])
    found = begun_layer(layer, 1, pool, VIT)
    expected = VIT.adapted(layer.spec, component.params, np.random.default_rng(0))
    assert {name: array.shape for name, array in found.items()} == {
        name: shape for name, (shape, _) in VIT.shapes(layer.spec).items()
    }
    assert all(np.array_equal(array, expected[name]) for name, array in found.items())
    row = SlotRow.plain([Slot(spec=layer.spec, layer=layer)])
    (params,), (remembered,) = begin(row, 1, pool, VIT, optimizer="sgd", adaptive=False)
    assert all(np.array_equal(array, expected[name]) for name, array in params.items())
    assert remembered
    assert not any(np.any(array) for array in remembered.values())
    same = replace(layer, operation="clone", spec=SMALL[POSITIONS])
    _, (kept,) = begin(SlotRow.plain([Slot(spec=same.spec, layer=same)]), 1, pool, VIT, optimizer="sgd", adaptive=False)
    assert all(np.all(array == 1) for array in kept.values())


def test_what_cannot_be_made_to_fit_is_named() -> None:
    layer, _, component = adapted(LARGE[POSITIONS], SMALL[POSITIONS])
    broken = replace(component, params={name: array[..., :5] for name, array in component.params.items()})
    with pytest.raises(CorruptObjectError, match=rf"Component 0000000000 \({layer.spec.name}\) cannot be made to fit"):
        begun_layer(layer, 1, ComponentPool(lambda _oid: broken), VIT)


def test_in_a_larger_slot_arrays_have_its_type_and_what_pads_them_changes_nothing() -> None:
    head = list(SMALL.values())[-1]
    slot = VIT.roomy(head)
    arrays = {name: array.astype(np.float64) + 1 for name, array in VIT.init(head, np.random.default_rng(0)).items()}
    assert {array.dtype for array in padded(arrays, head, VIT).values()} == {np.dtype(np.float32)}
    found = padded(arrays, slot, VIT)
    for name, (shape, dtype) in VIT.shapes(slot).items():
        inside = tuple(slice(size) for size in arrays[name].shape)
        assert (found[name].shape, found[name].dtype) == (shape, np.dtype(dtype))
        assert np.array_equal(found[name][inside], arrays[name].astype(np.float32))
        beyond = found[name].copy()
        beyond[inside] = VIT.padding(slot, name)
        assert np.all(beyond == np.float32(VIT.padding(slot, name)))
