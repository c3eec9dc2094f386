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
import numpy as np

from mu2net_core.engine.computation import Computation, Row, State, join, parts
from mu2net_core.engine.layout import CHILDREN, Layout
from mu2net_core.engine.memory import give_back_freed
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.nn import ArchitectureFamily, InputSpec, LayerSpec, Precision
from mu2net_core.objectives import Objective

__all__ = ["EVALUATION_BATCH", "Programs", "Row", "State", "default_layout"]

EVALUATION_BATCH = 500
"""Examples evaluated at once, at most: it depends on the model alone, so that a figure never depends on who measured
it."""

_EVALUATION_BYTES = 2**28

_MOST_KEPT = 32
"""Programs in memory, each some 40 MB; those that were not used for longest are let go, and found on the disk again."""

_GPU_OPTIONS: dict[str, bool | str] = {"xla_gpu_deterministic_ops": True}
"""A GPU may add in any order, and choose algorithms by timing them: the same seed would not give the same models."""


def default_layout() -> Layout:
    """Returns the layout of one child after the other on the first device."""
    return Layout(devices=((jax.local_devices()[0],),))


@dataclass(slots=True)
class Programs:
    """Runs the programs of the engine, each compiled once per distinct shape and kept while it is used.

    Attributes:
        family: whose layers are run.
        on_compile: told what was compiled and the seconds it took.
        on_wait: told what the thread that trains waits for because it is being compiled.
        layout: of children on devices.
        precision: of products.
        meter: adds up where the time of the thread that trains goes.
    """

    family: ArchitectureFamily
    on_compile: Callable[[str, float], None] = lambda _what, _wall_s: None
    on_wait: Callable[[str], None] = lambda _what: None
    layout: Layout = field(default_factory=default_layout)
    precision: Precision = "float32"
    meter: Meter = field(default_factory=Meter)
    _compiled: dict[Any, Future[Any]] = field(default_factory=dict)
    _outputs: dict[Any, jax.ShapeDtypeStruct] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    def evaluation_batch(self, specs: Sequence[LayerSpec]) -> int:
        """Returns E: at most ``EVALUATION_BATCH``, fewer where a layer computes very much, a multiple of devices."""
        room = _EVALUATION_BYTES // (4 * self.family.activations(specs))
        return -(-max(1, min(EVALUATION_BATCH, room)) // self._num_devices) * self._num_devices

    @property
    def _computation(self) -> Computation:
        return Computation(family=self.family, precision=self.precision, layout=self.layout)

    @property
    def _num_devices(self) -> int:
        return self.layout.num_devices

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
        objective: Objective,
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
            inputs: [N, ...]: examples, or what the frozen part makes of them.
            labels: [N, ...], as the objective has them.
            seeds: uint32 [2], for shuffling.
            objective: whose loss is followed.
            steps: gradient steps.
            batch: examples per step; ``steps * batch <= N``.
            clip_norm: global norm the gradients are clipped to.
        """
        args = (state, settings, trainable, seeds, inputs, labels)
        with self.meter.timing("compile"):
            sizes = {"steps": steps, "batch": batch, "clip_norm": clip_norm}
            program = self._training(specs, args, on_wait=self.on_wait, objective=objective, **sizes)
        return program(*args)  # type: ignore[no-any-return]

    def train_ahead(self, executor: Executor, specs: tuple[LayerSpec, ...], args: Any, **sizes: Any) -> None:
        """Compiles in the background what ``train`` will need; ``args`` say shapes and types, and hold no numbers."""
        executor.submit(self._training, specs, args, on_wait=lambda _what: None, **sizes)

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
            inputs = self._run(self._computation.stage, place, row[begin:end], inputs)
        return inputs

    def put(self, array: np.ndarray | jax.Array, *, together: bool = False, consumed: bool = False) -> jax.Array:
        """Returns an array on every device; with ``together`` its first axis are children, each on its own.

        What will be ``consumed`` never shares memory with ``array``.
        """
        place = None if self._num_devices == 1 else self.layout.children if together else self.layout.everywhere
        placed: jax.Array = jax.device_put(np.array(array) if consumed else array, place)
        return placed

    def promise(self, shape: tuple[int, ...], dtype: Any, *, together: bool = False) -> jax.ShapeDtypeStruct:
        """Returns what stands for an array that ``put`` will return, for compiling ahead."""
        if self._num_devices == 1:
            return jax.ShapeDtypeStruct(shape, dtype)
        return jax.ShapeDtypeStruct(shape, dtype, sharding=self.layout.children if together else self.layout.everywhere)

    def output(
        self, specs: tuple[LayerSpec, ...], above: tuple[LayerSpec, ...], input_spec: InputSpec
    ) -> jax.ShapeDtypeStruct:
        """Returns shape and type of what the first layers of a model make of one example."""
        if not specs:
            return jax.ShapeDtypeStruct(input_spec.shape, input_spec.dtype)
        key = (_nameless(specs), self.family.deciding(_nameless(above)), input_spec)
        if key not in self._outputs:
            row = tuple(self._abstract(spec) for spec in specs)
            alone = jax.ShapeDtypeStruct((1, *input_spec.shape), input_spec.dtype)
            made = jax.eval_shape(partial(self.family.apply, specs, above=above, precision=self.precision), row, alone)
            self._outputs[key] = jax.ShapeDtypeStruct(made.shape[1:], made.dtype)
        return self._outputs[key]

    def parts(self, array: jax.Array, size: int) -> list[jax.Array]:
        """Returns ``array`` [M, ...] in parts of ``size`` examples, the last one padded with zeros."""
        return self._run(parts, {"size": size}, array)  # type: ignore[no-any-return]

    def join(self, parts: Sequence[jax.Array], count: int) -> jax.Array:
        """Returns the first ``count`` examples of ``parts`` [E, ...], one after the other."""
        return self._run(join, {"count": count}, tuple(parts))  # type: ignore[no-any-return]

    def run(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        """Returns what a pure ``function`` of arrays makes of ``args``, compiled once under the name ``what``."""
        return self._run(function, {}, *args, what=what)

    def _abstract(self, spec: LayerSpec) -> dict[str, jax.ShapeDtypeStruct]:
        return {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in self.family.shapes(spec).items()}

    def _training(
        self, specs: tuple[LayerSpec, ...], args: Any, *, on_wait: Callable[[str], None], **sizes: Any
    ) -> Callable[..., Any]:
        """Returns the compiled program that trains; whether it is of K children is told by the seeds' axes."""
        together = len(args[3].shape) == 2
        place = {"specs": _nameless(specs), "together": together, **sizes}
        return self._program(self._computation.train, place, args, donate=(0,), on_wait=on_wait)

    def _run(self, function: Callable[..., Any], static: dict[str, Any], *args: Any, what: str | None = None) -> Any:
        with self.meter.timing("compile"):
            program = self._program(function, static, args, what=what, on_wait=self.on_wait)
        return program(*args)

    def _program(
        self,
        function: Callable[..., Any],
        static: dict[str, Any],
        args: tuple[Any, ...],
        *,
        donate: tuple[int, ...] = (),
        what: str | None = None,
        on_wait: Callable[[str], None],
    ) -> Callable[..., Any]:
        """Returns a compiled program; who asks for one that another thread compiles already waits for it."""
        leaves, tree = jax.tree.flatten(args)
        name = what or function.__name__.strip("_")
        key = (name, *static.values(), tree, *(self._kind(leaf) for leaf in leaves))
        with self._lock:
            found, future = self._compiled.pop(key, None), Future[Any]()
            self._compiled[key] = found or future
            while len(self._compiled) > _MOST_KEPT:
                del self._compiled[next(iter(self._compiled))]
        if found is None or not found.done():
            on_wait(_title(name, static))
        if found is not None:
            return found.result()  # type: ignore[no-any-return]
        try:
            future.set_result(self._compile(function, static, args, donate, name))
        except BaseException as exc:
            future.set_exception(exc)
            self._compiled.pop(key, None)
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
        give_back_freed()  # a compiler takes hundreds of megabytes
        self.on_compile(_title(name, static), time.perf_counter() - began)
        return program


def _title(name: str, static: dict[str, Any]) -> str:
    """Returns what a program is called when it is told of."""
    specs = static.get("specs")
    return f"{name} {specs[0].kind}..{specs[-1].kind}" if specs else name


def _nameless(specs: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    return tuple(replace(spec, name=spec.kind) for spec in specs)
