"""What programs compute: pure functions of arrays, as they are before they are compiled.

``K`` is the number of children trained together, ``N`` of examples, ``E`` of examples evaluated at once, ``L`` of the
layers from the gradient boundary up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from mu2net_core.engine.layout import BATCH, CHILDREN, Layout
from mu2net_core.engine.optimizer import OptimizerSettings, learning_rate_at, sgd_step
from mu2net_core.nn import ArchitectureFamily, LayerSpec, Params, Precision
from mu2net_core.objectives import Objective

__all__ = ["Computation", "Row", "State", "join", "parts"]

Row = tuple[Params, ...]
"""Parameters of consecutive layers; those of children trained together have a first axis [K]."""

State = tuple[Row, Row, jax.Array]
"""Parameters, momentum, and the gradient steps done so far, int32."""

_Own = tuple[State, OptimizerSettings, jax.Array, jax.Array]
"""A child's state, optimizer, which layers it trains, and its seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """What is computed with layers of ``family``, in products of ``precision``, on the devices of ``layout``."""

    family: ArchitectureFamily
    precision: Precision
    layout: Layout

    def train(
        self,
        state: State,
        settings: OptimizerSettings,
        trainable: jax.Array,
        seeds: jax.Array,
        inputs: jax.Array,
        labels: jax.Array,
        *,
        specs: tuple[LayerSpec, ...],
        together: bool,
        **sizes: Any,
    ) -> tuple[State, jax.Array]:
        """Returns the state after some gradient steps, and their mean loss; see ``Programs.train``.

        With ``together`` all but ``inputs`` and ``labels`` have a first axis of children, spread over the devices.
        """

        def of_this_device(own: _Own, inputs: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
            def one(own: _Own) -> tuple[State, jax.Array]:
                return self._train_one(own, inputs, labels, specs=specs, **sizes)

            return _each(one)(own) if together else one(own)

        axes = PartitionSpec(CHILDREN) if together else PartitionSpec()
        run = self._sharded(of_this_device, (axes, PartitionSpec(), PartitionSpec()), axes)
        return run((state, settings, trainable, seeds), inputs, labels)  # type: ignore[no-any-return]

    def _train_one(
        self,
        own: _Own,
        inputs: jax.Array,
        labels: jax.Array,
        *,
        specs: tuple[LayerSpec, ...],
        objective: Objective,
        steps: int,
        batch: int,
        clip_norm: float,
    ) -> tuple[State, jax.Array]:
        state, settings, trainable, seeds = own
        key = jax.random.wrap_key_data(seeds, impl="threefry2x32")
        order = jax.random.permutation(key, inputs.shape[0])[: steps * batch].reshape(steps, batch)
        parts = self.layout.batch_parts
        if parts > 1:
            part = jax.lax.axis_index(BATCH) * (batch // parts)
            order = jax.lax.dynamic_slice_in_dim(order, part, batch // parts, axis=1)

        def step(carry: State, chosen: jax.Array) -> tuple[State, jax.Array]:
            row, momentum, done = carry
            loss, gradients = jax.value_and_grad(self.loss)(row, specs, inputs[chosen], labels[chosen], objective)
            if parts > 1:
                loss, gradients = jax.lax.pmean((loss, gradients), BATCH)
            gradients = _where(trainable, gradients, jax.tree.map(jnp.zeros_like, gradients))
            rate = learning_rate_at(done, settings)
            moved = sgd_step(row, momentum, gradients, rate, settings, clip_norm=clip_norm)
            row, momentum = _where(trainable, moved[0], row), _where(trainable, moved[1], momentum)
            return (row, momentum, done + 1), loss

        state, losses = jax.lax.scan(step, state, order)
        return state, jnp.mean(losses)

    def loss(
        self, row: Row, specs: Sequence[LayerSpec], inputs: jax.Array, labels: jax.Array, objective: Objective
    ) -> jax.Array:
        """Returns the mean loss of what the layers make of ``inputs``."""
        outputs = self.family.apply(specs, row, inputs, precision=self.precision)
        return jnp.mean(objective.loss(outputs, labels))

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


def parts(array: jax.Array, *, size: int) -> list[jax.Array]:
    """Returns ``array`` [M, ...] in parts of ``size`` examples, the last one padded with zeros."""
    count = -(-array.shape[0] // size)
    padding = [(0, count * size - array.shape[0])] + [(0, 0)] * (array.ndim - 1)
    return list(jnp.pad(array, padding).reshape(count, size, *array.shape[1:]))


def join(parts: tuple[jax.Array, ...], *, count: int) -> jax.Array:
    """Returns the first ``count`` examples of ``parts`` [E, ...], one after the other."""
    return jnp.concatenate(parts)[:count]


def _where(trainable: jax.Array, new: Row, old: Row) -> Row:
    return tuple(
        jax.tree.map(lambda a, b, flag=trainable[index]: jnp.where(flag, a, b), new[index], old[index])
        for index in range(len(new))
    )
