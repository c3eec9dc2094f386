"""Compiled programs, kept by everything that decides their code.

Few programs. A training program depends on shapes and on the layers from the gradient boundary up, not on their names
or on where they stand; which of those layers are trained, adapters, the learning rate, momentum, warm-up and Nesterov
are run-time values. What models predict is computed stage by stage, one small program for each kind of layer, so that
a model of another depth needs none of its own.

``K`` is the number of children trained together, ``N`` of examples, ``E`` of examples evaluated at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from mu2net_core.engine.layout import BATCH, CHILDREN, Layout
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.optimizer import OptimizerSettings, learning_rate_at, sgd_step
from mu2net_core.nn import ArchitectureFamily, LayerSpec, Params, Precision

__all__ = ["EVALUATION_BATCH", "Programs", "Row", "State", "default_layout"]

EVALUATION_BATCH = 500
"""Examples evaluated at once, at most: it depends on the model alone, so that a figure never depends on who measured
it."""

_EVALUATION_BYTES = 2**28

_GPU_OPTIONS: dict[str, bool | str] = {"xla_gpu_deterministic_ops": True}
"""A GPU may add in any order, and choose algorithms by timing them: the same seed would not give the same models."""

Row = tuple[Params, ...]
"""Parameters of consecutive layers; those of children trained together have a first axis [K]."""

State = tuple[Row, Row, jax.Array]
"""Parameters, momentum, and the gradient steps done so far, int32."""


def default_layout() -> Layout:
    """Returns the layout of one child after the other on the first device."""
    return Layout(devices=((jax.local_devices()[0],),))


@dataclass(slots=True)
class Programs:
    """Runs the programs of the engine, compiling each at most once per distinct shape.

    Attributes:
        family: whose layers are run.
        on_compile: told what was compiled and the seconds it took.
        layout: of children on devices.
        precision: of products.
        meter: adds up where the time of the thread that trains goes.
    """

    family: ArchitectureFamily
    on_compile: Callable[[str, float], None] = lambda _what, _wall_s: None
    layout: Layout = field(default_factory=default_layout)
    precision: Precision = "float32"
    meter: Meter = field(default_factory=Meter)
    _compiled: dict[Any, Future[Any]] = field(default_factory=dict)
    _outputs: dict[Any, jax.ShapeDtypeStruct] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    @property
    def num_compiled(self) -> int:
        """How many programs this process has built."""
        return len(self._compiled)

    def evaluation_batch(self, specs: Sequence[LayerSpec]) -> int:
        """Returns E: at most ``EVALUATION_BATCH``, fewer where a layer computes very much, a multiple of devices."""
        room = _EVALUATION_BYTES // (4 * self.family.activations(specs))
        return -(-max(1, min(EVALUATION_BATCH, room)) // self._num_devices) * self._num_devices

    @property
    def _num_devices(self) -> int:
        return len(self.layout.devices) * self.layout.batch_parts

    def train(
        self,
        specs: tuple[LayerSpec, ...],
        state: State,
        settings: OptimizerSettings,
        trainable: jax.Array,
        inputs: jax.Array,
        labels: jax.Array,
        seeds: jax.Array,
        *,
        steps: int,
        batch: int,
        clip_norm: float,
    ) -> tuple[State, jax.Array]:
        """Returns the state after ``steps`` gradient steps, and their mean loss: one dispatch; consumes ``state``.

        For children trained together all but ``inputs`` and ``labels`` have a first axis [K].

        Args:
            specs: the layers from the boundary up.
            state: of those layers.
            settings: of the optimizer.
            trainable: bool [L], which of the layers to update.
            inputs: [N, ...]: uint8 images, or what the frozen part makes of them.
            labels: int32 [N].
            seeds: uint32 [2], for shuffling.
            steps: gradient steps.
            batch: examples per step; ``steps * batch <= N``.
            clip_norm: global norm the gradients are clipped to.
        """
        args = (state, settings, trainable, seeds, inputs, labels)
        with self.meter.timing("compile"):
            program = self._training(specs, args, steps=steps, batch=batch, clip_norm=clip_norm)
        return program(*args)  # type: ignore[no-any-return]

    def train_ahead(self, executor: Executor, specs: tuple[LayerSpec, ...], args: Any, **sizes: Any) -> None:
        """Compiles in the background what ``train`` will need; ``args`` say shapes and types, and hold no numbers."""
        executor.submit(self._training, specs, args, **sizes)

    def activations(
        self,
        specs: tuple[LayerSpec, ...],
        row: Row,
        inputs: jax.Array,
        *,
        above: tuple[LayerSpec, ...] = (),
        together: bool = False,
    ) -> jax.Array:
        """Returns what the layers make of ``inputs`` [E, ...] for the layers ``above``, stage by stage.

        Args:
            specs: consecutive layers.
            row: their parameters.
            inputs: what they get.
            above: the layers that get what is returned.
            together: whether ``row`` is of K children; then so is what is returned, [K, E, ...].
        """
        cuts = self.family.stages(specs)
        for begin, end in zip(cuts, (*cuts[1:], len(specs)), strict=True):
            place = {
                "specs": _nameless(specs[begin:end]),
                "above": self.family.deciding(_nameless((*specs[end:], *above)[:1])),
                "rows": CHILDREN if together else None,
                "inputs": CHILDREN if together and begin > 0 else None,
            }
            inputs = self._run(self._stage, place, row[begin:end], inputs)
        return inputs

    def count(
        self, logits: jax.Array, labels: jax.Array, known: jax.Array, *, together: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        """Returns how many examples are right, int32, and whether their logits are finite; [K] if of K children.

        Args:
            logits: [E, C], or [K, E, C].
            labels: int32 [E].
            known: bool [E], which examples are no padding.
            together: whether ``logits`` are of K children.
        """
        axis = CHILDREN if together else None
        return self._run(self._count, {"axis": axis}, logits, labels, known)  # type: ignore[no-any-return]

    def put(self, array: np.ndarray | jax.Array, *, together: bool = False, consumed: bool = False) -> jax.Array:
        """Returns an array on every device; with ``together`` its first axis are children, each on its own.

        What will be ``consumed`` never shares memory with ``array``.
        """
        place = None if self._num_devices == 1 else self.layout.children if together else self.layout.everywhere
        placed: jax.Array = jax.device_put(array, place, may_alias=False if consumed else None)
        return placed

    def promise(self, shape: tuple[int, ...], dtype: Any, *, together: bool = False) -> jax.ShapeDtypeStruct:
        """Returns what stands for an array that ``put`` will return, for compiling ahead."""
        if self._num_devices == 1:
            return jax.ShapeDtypeStruct(shape, dtype)
        return jax.ShapeDtypeStruct(shape, dtype, sharding=self.layout.children if together else self.layout.everywhere)

    def output(self, specs: tuple[LayerSpec, ...], above: tuple[LayerSpec, ...], side: int) -> jax.ShapeDtypeStruct:
        """Returns shape and type of what the first layers of a model make of one image of ``side`` pixels."""
        if not specs:
            return jax.ShapeDtypeStruct((side, side, 3), np.uint8)
        key = (_nameless(specs), self.family.deciding(_nameless(above)), side)
        if key not in self._outputs:
            row = tuple(self._abstract(spec) for spec in specs)
            image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
            made = jax.eval_shape(partial(self.family.apply, specs, above=above, precision=self.precision), row, image)
            self._outputs[key] = jax.ShapeDtypeStruct(made.shape[1:], made.dtype)
        return self._outputs[key]

    def parts(self, array: jax.Array, size: int) -> list[jax.Array]:
        """Returns ``array`` [M, ...] in parts of ``size`` examples, the last one padded with zeros."""
        return self._run(_parts, {"size": size}, array)  # type: ignore[no-any-return]

    def join(self, parts: Sequence[jax.Array], count: int) -> jax.Array:
        """Returns the first ``count`` examples of ``parts`` [E, ...], one after the other."""
        return self._run(_join, {"count": count}, tuple(parts))  # type: ignore[no-any-return]

    def run(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        """Returns what a pure ``function`` of arrays makes of ``args``, compiled once under the name ``what``."""
        return self._run(function, {}, *args, what=what)

    def _abstract(self, spec: LayerSpec) -> dict[str, jax.ShapeDtypeStruct]:
        return {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in self.family.shapes(spec).items()}

    def _training(self, specs: tuple[LayerSpec, ...], args: Any, **sizes: Any) -> Callable[..., Any]:
        """Returns the compiled program that trains; whether it is of K children is told by the seeds' axes."""
        together = len(args[3].shape) == 2
        place = {"specs": _nameless(specs), "together": together, **sizes}
        return self._program(self._train, place, args, donate=(0,))

    def _run(self, function: Callable[..., Any], static: dict[str, Any], *args: Any, what: str | None = None) -> Any:
        with self.meter.timing("compile"):
            program = self._program(function, static, args, what=what)
        return program(*args)

    def _program(
        self,
        function: Callable[..., Any],
        static: dict[str, Any],
        args: tuple[Any, ...],
        *,
        donate: tuple[int, ...] = (),
        what: str | None = None,
    ) -> Callable[..., Any]:
        """Returns a compiled program; who asks for one that another thread compiles already waits for it."""
        leaves, tree = jax.tree.flatten(args)
        name = what or function.__name__.strip("_")
        key = (name, *static.values(), tree, *(self._kind(leaf) for leaf in leaves))
        with self._lock:
            found, future = self._compiled.get(key), Future[Any]()
            if found is None:
                self._compiled[key] = future
        if found is not None:
            return found.result()  # type: ignore[no-any-return]
        try:
            future.set_result(self._compile(function, static, args, donate, name))
        except BaseException as exc:
            future.set_exception(exc)
            del self._compiled[key]
            raise
        return future.result()  # type: ignore[no-any-return]

    def _kind(self, leaf: Any) -> tuple[Any, ...]:
        """Returns all of an argument that a program depends on: with several devices also where it lies."""
        where = None if self._num_devices == 1 else getattr(leaf, "sharding", None)
        return (leaf.shape, leaf.dtype, where)

    def _compile(
        self, function: Callable[..., Any], static: dict[str, Any], args: Any, donate: tuple[int, ...], name: str
    ) -> Any:
        began = time.perf_counter()
        lowered = jax.jit(lambda *a: function(*a, **static), donate_argnums=donate).lower(*args)
        options = _GPU_OPTIONS if self.layout.devices[0][0].platform == "gpu" else None
        program = lowered.compile(compiler_options=options)
        specs = static.get("specs")
        self.on_compile(f"{name} {specs[0].kind}..{specs[-1].kind}" if specs else name, time.perf_counter() - began)
        return program

    def _train(
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
        def one(own: tuple[Any, ...], inputs: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
            state, settings, trainable, seeds = own
            return self._train_one(state, settings, trainable, seeds, inputs, labels, specs=specs, **sizes)

        def of_this_device(own: tuple[Any, ...], inputs: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
            if not together:
                return one(own, inputs, labels)
            return _each(lambda own: one(own, inputs, labels))(own)  # type: ignore[no-any-return]

        axes = PartitionSpec(CHILDREN) if together else PartitionSpec()
        run = self._sharded(of_this_device, (axes, PartitionSpec(), PartitionSpec()), axes)
        return run((state, settings, trainable, seeds), inputs, labels)  # type: ignore[no-any-return]

    def _train_one(
        self,
        state: State,
        settings: OptimizerSettings,
        trainable: jax.Array,
        seeds: jax.Array,
        inputs: jax.Array,
        labels: jax.Array,
        *,
        specs: tuple[LayerSpec, ...],
        steps: int,
        batch: int,
        clip_norm: float,
    ) -> tuple[State, jax.Array]:
        key = jax.random.wrap_key_data(seeds, impl="threefry2x32")
        order = jax.random.permutation(key, inputs.shape[0])[: steps * batch].reshape(steps, batch)
        parts = self.layout.batch_parts
        if parts > 1:
            part = jax.lax.axis_index(BATCH) * (batch // parts)
            order = jax.lax.dynamic_slice_in_dim(order, part, batch // parts, axis=1)

        def step(carry: State, chosen: jax.Array) -> tuple[State, jax.Array]:
            row, momentum, done = carry
            loss, gradients = jax.value_and_grad(self._loss)(row, specs, inputs[chosen], labels[chosen])
            if parts > 1:
                loss, gradients = jax.lax.pmean((loss, gradients), BATCH)
            gradients = _where(trainable, gradients, jax.tree.map(jnp.zeros_like, gradients))
            rate = learning_rate_at(done, settings)
            moved = sgd_step(row, momentum, gradients, rate, settings, clip_norm=clip_norm)
            row, momentum = _where(trainable, moved[0], row), _where(trainable, moved[1], momentum)
            return (row, momentum, done + 1), loss

        state, losses = jax.lax.scan(step, state, order)
        return state, jnp.mean(losses)

    def _loss(self, row: Row, specs: Sequence[LayerSpec], inputs: jax.Array, labels: jax.Array) -> jax.Array:
        logits = self.family.apply(specs, row, _normalised(inputs), precision=self.precision)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -jnp.mean(picked)

    def _stage(
        self,
        row: Row,
        x: jax.Array,
        *,
        specs: tuple[LayerSpec, ...],
        above: tuple[LayerSpec, ...],
        rows: str | None,
        inputs: str | None,
    ) -> jax.Array:
        def one(row: Row, x: jax.Array) -> jax.Array:
            return self.family.apply(specs, row, _normalised(x), above=above, precision=self.precision)

        if rows is None:
            examples = PartitionSpec((CHILDREN, BATCH))
            return self._sharded(one, (PartitionSpec(), examples), examples)(row, x)  # type: ignore[no-any-return]
        own, made = PartitionSpec(CHILDREN), PartitionSpec(CHILDREN, BATCH)
        if inputs is None:
            shared = self._sharded(lambda r, x: _each(lambda row: one(row, x))(r), (own, PartitionSpec(BATCH)), made)
            return shared(row, x)  # type: ignore[no-any-return]
        each = self._sharded(lambda r, x: _each(lambda both: one(*both))((r, x)), (own, made), made)
        return each(row, x)  # type: ignore[no-any-return]

    def _count(
        self, logits: jax.Array, labels: jax.Array, known: jax.Array, *, axis: str | None
    ) -> tuple[jax.Array, jax.Array]:
        del axis  # the shape of the logits says it too
        right = (jnp.argmax(logits, axis=-1) == labels) & known
        finite = jnp.all(jnp.isfinite(logits), axis=-1) | ~known
        return jnp.sum(right, axis=-1, dtype=jnp.int32), jnp.all(finite, axis=-1)

    def _sharded(self, function: Callable[..., Any], inputs: Any, output: Any) -> Callable[..., Any]:
        """Returns ``function`` run on every device of the layout with its part of the arguments."""
        if self._num_devices == 1:
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


def _parts(array: jax.Array, *, size: int) -> list[jax.Array]:
    count = -(-array.shape[0] // size)
    padding = [(0, count * size - array.shape[0])] + [(0, 0)] * (array.ndim - 1)
    return list(jnp.pad(array, padding).reshape(count, size, *array.shape[1:]))


def _join(parts: tuple[jax.Array, ...], *, count: int) -> jax.Array:
    return jnp.concatenate(parts)[:count]


def _where(trainable: jax.Array, new: Row, old: Row) -> Row:
    return tuple(
        jax.tree.map(lambda a, b, flag=trainable[index]: jnp.where(flag, a, b), new[index], old[index])
        for index in range(len(new))
    )


def _normalised(inputs: jax.Array) -> jax.Array:
    return inputs.astype(jnp.float32) / 127.5 - 1.0 if inputs.dtype == jnp.uint8 else inputs


def _nameless(specs: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    return tuple(replace(spec, name=spec.kind) for spec in specs)
