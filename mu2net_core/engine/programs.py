"""Compiled programs: training cycles and evaluations, kept by everything that decides their code.

Few programs: a program depends on shapes, on the layers from the gradient boundary up, and on nothing else. Which of
those layers are trained, the learning rate, momentum, warm-up and Nesterov are run-time values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.engine.optimizer import OptimizerSettings, learning_rate_at, sgd_step
from mu2net_core.nn import ArchitectureFamily, LayerSpec, Params

__all__ = ["EVALUATION_BATCH", "Programs", "Row"]

EVALUATION_BATCH = 500
"""Examples evaluated at once; the same everywhere, so that a figure never depends on who measured it."""

Row = tuple[Params, ...]
"""Parameters of consecutive layers."""


@dataclass(slots=True)
class Programs:
    """Runs the three programs of the engine, compiling each at most once per distinct shape.

    ``N`` is the number of examples, ``B`` a batch, ``L`` the layers from the boundary up.

    Attributes:
        family: whose layers are run.
        on_compile: told what was compiled and the seconds it took.
    """

    family: ArchitectureFamily
    on_compile: Callable[[str, float], None] = lambda _what, _wall_s: None
    _compiled: dict[Any, Any] = field(default_factory=dict)

    @property
    def num_compiled(self) -> int:
        """How many programs this process has built."""
        return len(self._compiled)

    def train_cycle(
        self,
        specs: tuple[LayerSpec, ...],
        state: tuple[Row, Row, jax.Array],
        settings: OptimizerSettings,
        trainable: jax.Array,
        train: tuple[jax.Array, jax.Array],
        validation: tuple[jax.Array, jax.Array],
        key: jax.Array,
        *,
        steps: int,
        batch: int,
        clip_norm: float,
    ) -> tuple[tuple[Row, Row, jax.Array], jax.Array, jax.Array]:
        """Returns the new state, the mean loss, and how many validation examples it gets right: one dispatch.

        The loss is NaN too if an output for a validation example is not finite.

        Args:
            specs: the layers from the boundary up.
            state: their parameters, their momentum, and the gradient steps done so far.
            settings: of the optimizer.
            trainable: bool [L], which of the layers to update.
            train: inputs [N, ...] (uint8 images, or the frozen part's activations) and labels int32 [N].
            validation: likewise.
            key: for shuffling; consumed.
            steps: gradient steps.
            batch: examples per step; ``steps * batch <= N``.
            clip_norm: global norm the gradients are clipped to.
        """
        static = {"specs": specs, "steps": steps, "batch": batch, "clip_norm": clip_norm}
        return self._run(self._train_cycle, static, state, settings, trainable, train, validation, key)  # type: ignore[no-any-return]

    def activations(
        self, specs: tuple[LayerSpec, ...], row: Row, *inputs: jax.Array, above: tuple[LayerSpec, ...]
    ) -> tuple[jax.Array, ...]:
        """Returns what the layers ``specs`` make of each of ``inputs`` [N, ...] for the layers ``above``."""
        return self._run(self._activations_of_each, {"specs": specs, "above": above[:1]}, row, *inputs)  # type: ignore[no-any-return]

    def init(self, spec: LayerSpec, key: jax.Array) -> Params:
        """Returns first parameters of a layer; consumes ``key``."""
        alike = replace(spec, name=spec.kind)  # one program for all blocks
        return self._run(self._init, {"specs": (alike,)}, key)  # type: ignore[no-any-return]

    def count_correct(self, specs: tuple[LayerSpec, ...], row: Row, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        """Returns how many of the N examples the layers get right, int32."""
        return self._run(self._count_correct, {"specs": specs}, row, inputs, labels)  # type: ignore[no-any-return]

    def _run(self, function: Callable[..., Any], static: dict[str, Any], *args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        key = (function.__name__, *static.values(), tree, *((leaf.shape, leaf.dtype) for leaf in leaves))
        program = self._compiled.get(key)
        if program is None:
            began = time.perf_counter()
            program = jax.jit(lambda *a: function(*a, **static)).lower(*args).compile()
            self._compiled[key] = program
            self.on_compile(_label(function.__name__, static["specs"]), time.perf_counter() - began)
        return program(*args)

    def _train_cycle(
        self,
        state: tuple[Row, Row, jax.Array],
        settings: OptimizerSettings,
        trainable: jax.Array,
        train: tuple[jax.Array, jax.Array],
        validation: tuple[jax.Array, jax.Array],
        key: jax.Array,
        *,
        specs: tuple[LayerSpec, ...],
        steps: int,
        batch: int,
        clip_norm: float,
    ) -> tuple[tuple[Row, Row, jax.Array], jax.Array, jax.Array]:
        inputs, labels = train
        order = jax.random.permutation(key, inputs.shape[0])[: steps * batch].reshape(steps, batch)

        def step(carry: tuple[Row, Row, jax.Array], chosen: jax.Array) -> tuple[tuple[Row, Row, jax.Array], jax.Array]:
            row, momentum, done = carry
            loss, gradients = jax.value_and_grad(self._loss)(row, specs, inputs[chosen], labels[chosen])
            gradients = _where(trainable, gradients, jax.tree.map(jnp.zeros_like, gradients))
            rate = learning_rate_at(done, settings)
            moved = sgd_step(row, momentum, gradients, rate, settings, clip_norm=clip_norm)
            row, momentum = _where(trainable, moved[0], row), _where(trainable, moved[1], momentum)
            return (row, momentum, done + 1), loss

        state, losses = jax.lax.scan(step, state, order)
        logits = self._activations(state[0], validation[0], specs=specs)
        # The last step's damage shows in no loss of this cycle, only here.
        loss = jnp.where(jnp.all(jnp.isfinite(logits)), jnp.mean(losses), jnp.nan)
        return state, loss, _num_correct(logits, validation[1])

    def _loss(self, row: Row, specs: Sequence[LayerSpec], inputs: jax.Array, labels: jax.Array) -> jax.Array:
        logits = self.family.apply(specs, row, _normalised(inputs))
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -jnp.mean(picked)

    def _init(self, key: jax.Array, *, specs: tuple[LayerSpec, ...]) -> Params:
        return dict(self.family.init(specs[0], key))

    def _activations_of_each(
        self, row: Row, *inputs: jax.Array, specs: tuple[LayerSpec, ...], above: tuple[LayerSpec, ...]
    ) -> tuple[jax.Array, ...]:
        made = self._activations(row, jnp.concatenate(inputs), specs=specs, above=above)
        ends = np.cumsum([part.shape[0] for part in inputs])
        return tuple(jnp.split(made, ends[:-1]))

    def _activations(
        self, row: Row, inputs: jax.Array, *, specs: tuple[LayerSpec, ...], above: tuple[LayerSpec, ...] = ()
    ) -> jax.Array:
        batches = jax.lax.map(lambda x: self.family.apply(specs, row, _normalised(x), above=above), _batched(inputs))
        return jnp.reshape(batches, (-1, *batches.shape[2:]))[: inputs.shape[0]]

    def _count_correct(
        self, row: Row, inputs: jax.Array, labels: jax.Array, *, specs: tuple[LayerSpec, ...]
    ) -> jax.Array:
        return _num_correct(self._activations(row, inputs, specs=specs), labels)


def _num_correct(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.sum(jnp.argmax(logits, axis=-1) == labels, dtype=jnp.int32)


def _where(trainable: jax.Array, new: Row, old: Row) -> Row:
    return tuple(
        jax.tree.map(lambda a, b, flag=trainable[index]: jnp.where(flag, a, b), new[index], old[index])
        for index in range(len(new))
    )


def _normalised(inputs: jax.Array) -> jax.Array:
    return inputs.astype(jnp.float32) / 127.5 - 1.0 if inputs.dtype == jnp.uint8 else inputs


def _batched(inputs: jax.Array) -> jax.Array:
    count = -(-inputs.shape[0] // EVALUATION_BATCH)
    padding = [(0, count * EVALUATION_BATCH - inputs.shape[0])] + [(0, 0)] * (inputs.ndim - 1)
    return jnp.pad(inputs, padding).reshape(count, EVALUATION_BATCH, *inputs.shape[1:])


def _label(function: str, specs: Sequence[LayerSpec]) -> str:
    return f"{function.strip('_')} {specs[0].name}..{specs[-1].name}"
