"""What programs compute: pure functions of arrays, as they are before they are compiled.

``K`` is the number of children trained together, ``E`` of examples evaluated at once; the other letters are those of
``training``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from mu2net_core.engine.layout import BATCH, CHILDREN, Layout
from mu2net_core.engine.optimizer import learning_rate_at, optimizer_step
from mu2net_core.engine.training import Chunk, Own, Row, State, TrainingShape
from mu2net_core.nn import ArchitectureFamily, LayerSpec, Precision
from mu2net_core.objectives import Objective

__all__ = ["Computation"]

_Layer = TypeVar("_Layer")

_Carry = tuple[State, jax.Array]
"""A state, and the sum of the losses on the way to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """What is computed with layers of ``family``, in products of ``precision``, on the devices of ``layout``."""

    family: ArchitectureFamily
    precision: Precision
    layout: Layout

    def train(
        self, state: State, own: Own, chunk: Chunk, *, shape: TrainingShape, objective: Objective
    ) -> tuple[State, jax.Array]:
        """Returns the state after ``chunk.steps`` gradient steps, and their mean loss; see ``Programs.train``.

        For children trained together ``state`` and ``own`` have a first axis of children, spread over the devices.
        """

        def of_this_device(one: tuple[State, Own], chunk: Chunk) -> tuple[State, jax.Array]:
            run = partial(self._train_one, chunk=chunk, shape=shape, objective=objective)
            return _each(run)(one) if shape.together else run(one)

        axes = PartitionSpec(CHILDREN) if shape.together else PartitionSpec()
        run = self._sharded(of_this_device, (axes, PartitionSpec()), axes)
        return run((state, own), chunk)  # type: ignore[no-any-return]

    def _train_one(
        self, one: tuple[State, Own], *, chunk: Chunk, shape: TrainingShape, objective: Objective
    ) -> tuple[State, jax.Array]:
        """Trains the row of the variant that is asked for; only its layers are computed, or touched at all."""
        train = partial(self._train_row, own=one[1], chunk=chunk, shape=shape, objective=objective)
        variants = [partial(train, used=row) for row in shape.rows]
        if len(variants) == 1:
            return variants[0](one[0])
        trained: tuple[State, jax.Array] = jax.lax.switch(chunk.variant, variants, one[0])
        return trained

    def _train_row(
        self,
        state: State,
        *,
        own: Own,
        chunk: Chunk,
        shape: TrainingShape,
        objective: Objective,
        used: tuple[int, ...],
    ) -> tuple[State, jax.Array]:
        parts = self.layout.batch_parts
        order = own.order
        if parts > 1:
            size = order.shape[1] // parts
            order = jax.lax.dynamic_slice_in_dim(order, jax.lax.axis_index(BATCH) * size, size, axis=1)

        specs = tuple(shape.specs[index] for index in used)
        present = None if own.present is None else own.present[np.array(used)]

        def step(number: jax.Array, carry: _Carry) -> _Carry:
            inputs, labels = chunk.inputs[order[number]], chunk.labels[order[number]]

            def loss_of(row: Row) -> jax.Array:
                return self.loss(row, specs, inputs, labels, objective, present=present, smoothing=own.smoothing)

            state, loss = self._step(carry[0], own, shape, used, loss_of, chunk.clip_norm)
            return state, carry[1] + loss

        row, remembered, done = state
        begun = (_picked(row, used), _picked(remembered, used), done)
        (few, after, done), total = jax.lax.fori_loop(0, chunk.steps, step, (begun, jnp.float32(0)))
        return (_put_back(row, used, few), _put_back(remembered, used, after), done), total / chunk.steps

    def _step(
        self,
        state: State,
        own: Own,
        shape: TrainingShape,
        used: tuple[int, ...],
        loss_of: Callable[[Row], jax.Array],
        clip_norm: jax.Array,
    ) -> _Carry:
        """Returns the state after one gradient step, and the loss before it."""
        row, remembered, done = state
        moving = _moving(shape, used)
        loss, gradients = jax.value_and_grad(lambda few: loss_of(_put_back(row, moving, few)))(_picked(row, moving))
        if self.layout.batch_parts > 1:
            loss, gradients = jax.lax.pmean((loss, gradients), BATCH)
        moved, after = optimizer_step(
            _picked(row, moving),
            _picked(remembered, moving),
            gradients,
            learning_rate_at(done, own.settings),
            own.settings,
            clip_norm=clip_norm,
            trainable=None if own.trainable is None else tuple(own.trainable[index] for index in used),
        )
        return (_put_back(row, moving, moved), _put_back(remembered, moving, after), done + 1), loss

    def loss(
        self,
        row: Row,
        specs: Sequence[LayerSpec],
        inputs: jax.Array,
        labels: jax.Array,
        objective: Objective,
        *,
        present: jax.Array | None = None,
        smoothing: jax.Array | float = 0.0,
    ) -> jax.Array:
        """Returns the mean loss of what the layers make of ``inputs``, its labels smoothed."""
        outputs = self.family.apply(specs, row, inputs, precision=self.precision, present=present)
        return jnp.mean(objective.loss(outputs, labels, smoothing))

    def stage(
        self,
        row: Row,
        x: jax.Array,
        *,
        specs: tuple[LayerSpec, ...],
        above: tuple[LayerSpec, ...],
        rows: str | None,
        inputs: str | None,
    ) -> jax.Array:
        """Returns what the layers make of ``x`` for those ``above``.

        ``rows`` and ``inputs`` say whether parameters and ``x`` have a first axis of children; without one the examples
        are spread over all devices.
        """

        def one(row: Row, x: jax.Array) -> jax.Array:
            return self.family.apply(specs, row, x, above=above, precision=self.precision)

        if rows is None:
            examples = PartitionSpec((CHILDREN, BATCH))
            return self._sharded(one, (PartitionSpec(), examples), examples)(row, x)  # type: ignore[no-any-return]
        own, made = PartitionSpec(CHILDREN), PartitionSpec(CHILDREN, BATCH)
        if inputs is None:
            shared = self._sharded(lambda r, x: _each(lambda row: one(row, x))(r), (own, PartitionSpec(BATCH)), made)
            return shared(row, x)  # type: ignore[no-any-return]
        each = self._sharded(lambda r, x: _each(lambda both: one(*both))((r, x)), (own, made), made)
        return each(row, x)  # type: ignore[no-any-return]

    def _sharded(self, function: Callable[..., Any], inputs: Any, output: Any) -> Callable[..., Any]:
        """Returns ``function`` run on every device of the layout with its part of the arguments."""
        if self.layout.num_devices == 1:
            return function
        return jax.shard_map(function, mesh=self.layout.mesh, in_specs=inputs, out_specs=output, check_vma=False)


def _each(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns ``function`` of trees without an axis of children as a function of trees with one."""

    def run(tree: Any) -> Any:
        if jax.tree.leaves(tree)[0].shape[0] > 1:
            return jax.vmap(function)(tree)
        alone = function(jax.tree.map(lambda leaf: leaf[0], tree))
        return jax.tree.map(lambda leaf: leaf[None], alone)

    return run


def _moving(shape: TrainingShape, used: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the places in a row, of the slots in ``used``, of the layers that may be updated."""
    if shape.trainable is None:
        return tuple(range(len(used)))
    return tuple(place for place, index in enumerate(used) if shape.trainable[index])


def _picked(row: tuple[_Layer, ...], places: tuple[int, ...]) -> tuple[_Layer, ...]:
    return tuple(row[place] for place in places)


def _put_back(row: tuple[_Layer, ...], places: tuple[int, ...], few: tuple[_Layer, ...]) -> tuple[_Layer, ...]:
    """Returns ``row`` with ``few`` at their places in it."""
    put = dict(zip(places, few, strict=True))
    return tuple(put.get(index, layer) for index, layer in enumerate(row))
