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
from mu2net_core.engine.packing import pack, pack_remembered, unpack, unpack_remembered
from mu2net_core.engine.training import Chunk, Own, Row, State, TrainingShape
from mu2net_core.nn import ArchitectureFamily, LayerSpec, Precision
from mu2net_core.objectives import Objective

__all__ = ["Computation"]

_Layer = TypeVar("_Layer")

_Carry = tuple[State, jax.Array]
"""A state, and the sum of the losses on the way to it."""

_LossOf = Callable[[tuple[int, ...], Row, jax.Array], jax.Array]
"""The mean loss of the layers in some slots, given what goes into the first of them."""


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
        """Trains the row of the variant that is asked for; only its layers are computed.

        What variants have in common is compiled once where it is most of them. Where it is not, each has a loop of its
        own, which touches none of the slots that it does not use.
        """
        train = partial(self._train_row, chunk=chunk, objective=objective)
        if len(shape.rows) == 1 or self._common(shape):
            return train(one, shape=shape)

        def of_variant(used: tuple[int, ...], one: tuple[State, Own]) -> tuple[State, jax.Array]:
            (row, remembered, done), own = one
            flags = np.array(used)
            few = own.replace(  # type: ignore[attr-defined]
                trainable=None if own.trainable is None else own.trainable[flags],
                present=None if own.present is None else own.present[flags],
            )
            begun = (_picked(row, used), _picked(remembered, used), done)
            (moved, after, done), loss = train((begun, few), shape=shape.only(used))
            return (_put_back(row, used, moved), _put_back(remembered, used, after), done), loss

        trained: tuple[State, jax.Array] = jax.lax.switch(
            chunk.variant, [partial(of_variant, used) for used in shape.rows], one
        )
        return trained

    def _train_row(
        self, one: tuple[State, Own], *, chunk: Chunk, shape: TrainingShape, objective: Objective
    ) -> tuple[State, jax.Array]:
        (like, remembered, done), own = one
        order, is_packed = self._order(own.order), shape.trainable is None

        def step(number: jax.Array, carry: _Carry) -> _Carry:
            (row, remembered, done), total = carry
            loss_of = partial(self._loss, shape, objective, own, chunk.labels[order[number]])
            inputs = chunk.inputs[order[number]]
            if is_packed:
                loss, gradients = self._gradients(row, like, inputs, loss_of, chunk.variant, shape, own)
            else:
                loss, gradients = _gradients_of_some(row, _moving(shape), partial(loss_of, shape.rows[0]), inputs)
            if self.layout.batch_parts > 1:
                loss, gradients = jax.lax.pmean((loss, gradients), BATCH)
            return self._moved((row, remembered, done), gradients, own, shape, chunk.clip_norm), total + loss

        begun = one[0]
        if is_packed:
            begun = (tuple(map(pack, like)), tuple(map(pack_remembered, remembered)), done)
        (row, remembered, done), total = jax.lax.fori_loop(0, chunk.steps, step, (begun, jnp.float32(0)))
        if is_packed:
            row, remembered = tuple(map(unpack, row, like)), tuple(map(unpack_remembered, remembered, like))
        return (row, remembered, done), total / chunk.steps

    def _order(self, order: jax.Array) -> jax.Array:
        """Returns this device's part of each batch."""
        parts = self.layout.batch_parts
        if parts == 1:
            return order
        size = order.shape[1] // parts
        return jax.lax.dynamic_slice_in_dim(order, jax.lax.axis_index(BATCH) * size, size, axis=1)

    def _gradients(
        self,
        row: Row,
        like: Row,
        x: jax.Array,
        loss_of: _LossOf,
        variant: jax.Array,
        shape: TrainingShape,
        own: Own,
    ) -> tuple[jax.Array, Row]:
        """Returns the mean loss and its gradients, of a packed row and packed; zeros of layers that are not in use.

        What lies below all that variants differ in is computed once for all of them.
        """
        if len(shape.rows) == 1:
            loss, gradients = jax.value_and_grad(partial(loss_of, shape.rows[0]))(tuple(map(unpack, row, like)), x)
            return loss, tuple(map(pack, gradients))
        cut = self._common(shape)

        def of_variant(used: tuple[int, ...], rest: Row, x: jax.Array) -> tuple[jax.Array, Row, jax.Array]:
            places, used = tuple(index - cut for index in used[cut:]), used[cut:]
            few = tuple(map(unpack, _picked(rest, places), _picked(like, used)))
            loss, (found, down) = jax.value_and_grad(partial(loss_of, used), argnums=(0, 1))(few, x)
            nothing = jax.tree.map(jnp.zeros_like, rest)
            return loss, _put_back(nothing, places, tuple(map(pack, found))), down

        specs, present = _chosen(shape, own, tuple(range(cut)))
        run = partial(
            self.family.apply,
            specs,
            above=(shape.specs[shape.rows[0][cut]],),
            precision=self.precision,
            present=present,
        )
        x, back = jax.vjp(lambda few: run(few, x), tuple(map(unpack, row[:cut], like[:cut])))
        loss, gradients, down = jax.lax.switch(
            variant, [partial(of_variant, used) for used in shape.rows], row[cut:], x
        )
        return loss, (*map(pack, back(down)[0]), *gradients)

    def _common(self, shape: TrainingShape) -> int:
        """Returns how many layers all variants begin with, such that they may be run by themselves.

        0 where they are less than half of what the largest computes: it would not pay.
        """
        rows = [tuple(shape.specs[index] for index in used) for used in shape.rows]

        def may_cut(at: int) -> bool:
            same = len({used[:at] for used in shape.rows}) == 1
            decided = {self.family.deciding(specs[at : at + 1]) for specs in rows}
            return same and len(decided) == 1 and all(at in self.family.stages(specs) for specs in rows)

        cut = max((at for at in range(1, min(map(len, rows))) if may_cut(at)), default=0)
        return cut if 2 * self.family.flops(rows[0][:cut]) >= max(map(self.family.flops, rows)) else 0

    def _moved(self, state: State, gradients: Row, own: Own, shape: TrainingShape, clip_norm: jax.Array) -> State:
        """Returns the state after one gradient step."""
        row, remembered, done = state
        moving = _moving(shape)
        moved, after = optimizer_step(
            _picked(row, moving),
            _picked(remembered, moving),
            gradients,
            learning_rate_at(done, own.settings),
            own.settings,
            clip_norm=clip_norm,
            trainable=None if own.trainable is None else tuple(own.trainable[index] for index in moving),
        )
        return _put_back(row, moving, moved), _put_back(remembered, moving, after), done + 1

    def _loss(
        self,
        shape: TrainingShape,
        objective: Objective,
        own: Own,
        labels: jax.Array,
        used: tuple[int, ...],
        row: Row,
        x: jax.Array,
    ) -> jax.Array:
        """Returns the mean loss of what the layers ``used``, up to the last, make of ``x``."""
        specs, present = _chosen(shape, own, used)
        return self.loss(row, specs, x, labels, objective, present=present, smoothing=own.smoothing)

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


def _chosen(shape: TrainingShape, own: Own, used: tuple[int, ...]) -> tuple[tuple[LayerSpec, ...], jax.Array | None]:
    """Returns the specs of some slots, and which of them that may be empty are not."""
    present = None if own.present is None else own.present[np.array(used)]
    return tuple(shape.specs[index] for index in used), present


def _moving(shape: TrainingShape) -> tuple[int, ...]:
    """Returns the places in a row of the layers that may be updated."""
    if shape.trainable is None:
        return tuple(range(len(shape.specs)))
    return tuple(index for index, moves in enumerate(shape.trainable) if moves)


def _gradients_of_some(
    row: Row, moving: tuple[int, ...], loss_of: Callable[[Row, jax.Array], jax.Array], x: jax.Array
) -> tuple[jax.Array, Row]:
    """Returns the mean loss and the gradients of the layers at the places ``moving``."""
    return jax.value_and_grad(lambda few: loss_of(_put_back(row, moving, few), x))(_picked(row, moving))


def _picked(row: tuple[_Layer, ...], places: tuple[int, ...]) -> tuple[_Layer, ...]:
    return tuple(row[place] for place in places)


def _put_back(row: tuple[_Layer, ...], places: tuple[int, ...], few: tuple[_Layer, ...]) -> tuple[_Layer, ...]:
    """Returns ``row`` with ``few`` at their places in it."""
    put = dict(zip(places, few, strict=True))
    return tuple(put.get(index, layer) for index, layer in enumerate(row))
