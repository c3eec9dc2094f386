"""What every kind of layer must do: inherit ``LayerKindTests``, give it the fixtures ``kind`` and ``spec``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.nn import Arrays, LayerKind, LayerSpec
from mu2net_core.testing.conformance.products import dense_flops

__all__ = ["LayerKindTests", "assert_same", "padded_array", "random_arrays", "random_examples"]

_BATCH = 3


class LayerKindTests:
    """The contract of ``mu2net_core.nn.LayerKind``, one behaviour a test.

    The fixture ``kind`` is the kind, ``spec`` one of its layers, as small as can be; ``larger`` is the same layer in
    another size, where there is one.
    """

    @pytest.fixture
    def larger(self) -> LayerSpec | None:
        """Returns the same layer in another size; None if it has no other."""
        return None

    def examples(self, kind: LayerKind, spec: LayerSpec, seed: int) -> np.ndarray:
        """Returns something for the layer to take; to be overridden where it does not take any numbers of its type."""
        return random_examples(kind, spec, seed)

    def test_it_is_called_as_its_layers_call_it(self, kind: LayerKind, spec: LayerSpec) -> None:
        assert kind.name == spec.kind
        assert spec.config["kind"] == kind.name

    def test_a_layer_begins_with_finite_float32_of_the_declared_shapes(self, kind: LayerKind, spec: LayerSpec) -> None:
        assert {dtype for _, dtype in kind.shapes(spec).values()} <= {"float32"}
        for identity in (False, True):
            made = kind.init(spec, _rng(1), identity=identity)
            assert {name: (array.shape, array.dtype.name) for name, array in made.items()} == dict(kind.shapes(spec))
            assert all(np.isfinite(array).all() for array in made.values())

    def test_what_it_begins_with_depends_on_the_seed_and_the_sizes_alone(
        self, kind: LayerKind, spec: LayerSpec
    ) -> None:
        renamed = replace(spec, name="another")
        assert dict(kind.shapes(renamed)) == dict(kind.shapes(spec))
        for identity in (False, True):
            one, same = (kind.init(which, _rng(1), identity=identity) for which in (spec, renamed))
            assert_same(one, same)

    def test_it_returns_the_declared_shape_for_examples_that_know_nothing_of_each_other(
        self, kind: LayerKind, spec: LayerSpec
    ) -> None:
        params, x = random_arrays(kind, spec, 1), self.examples(kind, spec, 2)
        run = jax.jit(_computing(kind, spec))
        made, others = run(params, x), run(params, np.concatenate([x[:1], self.examples(kind, spec, 3)[1:]]))
        assert made.shape == (_BATCH, *kind.gives(spec))
        assert bool(jnp.isfinite(made).all())
        np.testing.assert_array_equal(made[0], others[0])

    def test_what_it_computes_is_decided_by_what_it_is_given(self, kind: LayerKind, spec: LayerSpec) -> None:
        args = random_arrays(kind, spec, 1), self.examples(kind, spec, 2)
        one, same = (jax.jit(_computing(kind, spec)).lower(*args).as_text() for _ in range(2))
        assert one == same

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_it_computes_in_the_numbers_it_is_asked_for(self, kind: LayerKind, spec: LayerSpec, precision: str) -> None:
        asked = jnp.dtype("float32" if kind.in_float32 else precision)
        computing = lambda params, x: kind.apply(spec, params, x, dtype=asked)  # noqa: E731
        made = jax.eval_shape(computing, random_arrays(kind, spec, 1), self.examples(kind, spec, 2))
        assert made.dtype == asked

    def test_its_gradients_are_finite_and_not_all_zero(self, kind: LayerKind, spec: LayerSpec) -> None:
        x = self.examples(kind, spec, 2)
        gradient = jax.jit(jax.grad(lambda params: jnp.sum(_computing(kind, spec)(params, x) ** 2)))
        for params in (random_arrays(kind, spec, 1), kind.init(spec, _rng(1))):
            assert all(bool(jnp.isfinite(array).all()) for array in gradient(params).values())
        assert any(bool(array.any()) for array in gradient(random_arrays(kind, spec, 1)).values())

    def test_its_flops_are_those_of_the_products_it_computes(self, kind: LayerKind, spec: LayerSpec) -> None:
        args = random_arrays(kind, spec, 1), self.examples(kind, spec, 2)[:1]
        for first_only in (False, True):
            computed = dense_flops(_computing(kind, spec, first_only=first_only), *args)
            assert kind.flops(spec, first_only=first_only) == computed

    def test_its_activations_are_no_fewer_than_what_it_returns(self, kind: LayerKind, spec: LayerSpec) -> None:
        assert kind.activations(spec) >= prod(kind.gives(spec)) > 0

    def test_the_first_token_is_the_same_whether_or_not_it_is_read_alone(
        self, kind: LayerKind, spec: LayerSpec
    ) -> None:
        if len(kind.gives(spec)) < 2:
            return  # it returns no tokens
        args = random_arrays(kind, spec, 1), self.examples(kind, spec, 2)
        all_of_them, alone = (jax.jit(_computing(kind, spec, first_only=first))(*args) for first in (False, True))
        np.testing.assert_allclose(alone[:, 0], all_of_them[:, 0], rtol=1e-5, atol=1e-5)

    def test_one_that_can_be_added_to_a_model_begins_by_passing_on_what_it_gets(
        self, kind: LayerKind, spec: LayerSpec
    ) -> None:
        if not kind.is_residual:
            return
        x = self.examples(kind, spec, 2)
        made = jax.jit(_computing(kind, spec))(kind.init(spec, _rng(1), identity=True), x)
        np.testing.assert_array_equal(made, x)

    def test_arrays_of_its_own_size_fit_as_they_are(self, kind: LayerKind, spec: LayerSpec) -> None:
        arrays = random_arrays(kind, spec, 1)
        assert_same(kind.adapted(spec, arrays, _rng(2)), arrays)

    def test_arrays_of_another_size_are_made_to_fit_by_the_seed_alone(
        self, kind: LayerKind, spec: LayerSpec, larger: LayerSpec | None
    ) -> None:
        if larger is None:
            return
        arrays = random_arrays(kind, spec, 1)
        made, again = (kind.adapted(larger, arrays, _rng(2)) for _ in range(2))
        assert {name: (array.shape, array.dtype.name) for name, array in made.items()} == dict(kind.shapes(larger))
        assert_same(made, again)

    def test_a_layer_that_grew_computes_the_same(
        self, kind: LayerKind, spec: LayerSpec, larger: LayerSpec | None
    ) -> None:
        if larger is None or kind.fitted != "grow":
            return
        arrays, x = random_arrays(kind, spec, 1), self.examples(kind, spec, 2)
        before = jax.jit(_computing(kind, spec))(arrays, x)
        after = jax.jit(_computing(kind, larger))(kind.adapted(larger, arrays, _rng(2)), x)
        np.testing.assert_allclose(after, before, rtol=2e-5, atol=2e-5)

    def test_in_its_slot_it_computes_the_same(self, kind: LayerKind, spec: LayerSpec) -> None:
        slot = kind.roomy(spec)
        assert (slot.name, slot.kind, slot.flow) == (spec.name, spec.kind, spec.flow)
        assert kind.roomy(slot) == slot
        arrays, x = random_arrays(kind, spec, 1), self.examples(kind, spec, 2)
        padded = {name: padded_array(kind, slot, name, array) for name, array in arrays.items()}
        before, after = jax.jit(_computing(kind, spec))(arrays, x), jax.jit(_computing(kind, slot))(padded, x)
        own = tuple(slice(0, size) for size in before.shape)
        np.testing.assert_allclose(after[own], before, rtol=2e-5, atol=2e-5)

    def test_training_leaves_the_padding_of_its_slot_as_it_is(self, kind: LayerKind, spec: LayerSpec) -> None:
        slot, x = kind.roomy(spec), self.examples(kind, spec, 2)
        arrays = random_arrays(kind, spec, 1)
        padded = {name: padded_array(kind, slot, name, array) for name, array in arrays.items()}
        own = tuple(slice(0, size) for size in (_BATCH, *kind.gives(spec)))
        slopes = jax.jit(jax.grad(lambda params: jnp.sum(_computing(kind, slot)(params, x)[own] ** 2)))(padded)
        for name, array in arrays.items():
            slope = np.array(slopes[name])
            slope[tuple(slice(0, size) for size in array.shape)] = 0
            assert not slope.any(), name

    def test_what_it_would_get_can_be_passed_on_where_it_is_absent(self, kind: LayerKind, spec: LayerSpec) -> None:
        if not kind.may_be_absent:
            return
        args = random_arrays(kind, spec, 1), self.examples(kind, spec, 2)
        assert kind.takes_dtype == "float32"
        for first_only in (False, True):
            made = jax.eval_shape(_computing(kind, spec, first_only=first_only), *args)
            assert made.shape == args[1].shape


def padded_array(kind: LayerKind, slot: LayerSpec, name: str, array: np.ndarray | None) -> np.ndarray:
    """Returns a layer's array as large as in its slot; of no layer, the padding alone."""
    shape, dtype = kind.shapes(slot)[name]
    room = np.full(shape, kind.padding(slot, name), dtype)
    if array is not None:
        room[tuple(slice(0, size) for size in array.shape)] = array
    return room


def random_arrays(kind: LayerKind, spec: LayerSpec, seed: int) -> Arrays:
    """Returns parameters of a layer with no zeros in them, so that nothing can hide."""
    rng, shapes = _rng(seed), sorted(kind.shapes(spec).items())
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, (shape, _) in shapes}


def random_examples(kind: LayerKind, spec: LayerSpec, seed: int) -> np.ndarray:
    """Returns a batch of what a layer takes: any bytes, any whole numbers that it takes, or normal numbers."""
    rng, shape = _rng(seed), (_BATCH, *kind.takes(spec))
    dtype = np.dtype(kind.takes_dtype)
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, 256 if dtype == np.uint8 else kind.takes_below, shape, dtype=dtype)


def assert_same(one: Arrays, other: Arrays) -> None:
    """Checks that a layer's arrays are those of another, to the last bit."""
    assert sorted(one) == sorted(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


def _computing(kind: LayerKind, spec: LayerSpec, *, first_only: bool = False) -> Callable[..., jax.Array]:
    return lambda params, x: kind.apply(spec, params, x, dtype=jnp.dtype("float32"), first_only=first_only)


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))
