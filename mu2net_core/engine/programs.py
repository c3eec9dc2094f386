"""The programs of the engine: training, and what layers make of examples.

Few programs. A training program depends on the kinds and sizes of the layers from the gradient boundary up, not on
their names, on where they stand or on the task: how many examples and gradient steps there are, which of the layers
are trained, which slots are empty, how many blocks there are and every setting of the optimizer are run-time values.
What models predict is computed stage by stage, one small program for each kind of layer, so that a model of another
depth needs none of its own.

``K`` is the number of children trained together, ``E`` of examples evaluated at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax

from mu2net_core.engine.cache import Program, ProgramCache
from mu2net_core.engine.computation import Computation
from mu2net_core.engine.layout import CHILDREN, Layout, default_layout
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.placement import Placement
from mu2net_core.engine.training import Chunk, Own, Row, State, TrainingShape, nameless
from mu2net_core.nn import ArchitectureFamily, InputSpec, LayerSpec, Precision
from mu2net_core.objectives import Objective

__all__ = ["EVALUATION_BATCH", "Programs"]

EVALUATION_BATCH = 512
"""Examples evaluated at once, at most: it depends on the model alone, so that a figure never depends on who measured
it."""

_EVALUATION_BYTES = 2**28


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
        placement: of arrays on the devices.
        cache: of compiled programs.
    """

    family: ArchitectureFamily
    on_compile: Callable[[str, float], None] = lambda _what, _wall_s: None
    on_wait: Callable[[str], None] = lambda _what: None
    layout: Layout = field(default_factory=default_layout)
    precision: Precision = "float32"
    meter: Meter = field(default_factory=Meter)
    placement: Placement = field(init=False)
    cache: ProgramCache = field(init=False)
    _outputs: dict[Any, jax.ShapeDtypeStruct] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begins with nothing compiled."""
        self.placement = Placement(self.layout)
        self.cache = ProgramCache(layout=self.layout, on_compile=self.on_compile)

    def evaluation_batch(self, specs: Sequence[LayerSpec]) -> int:
        """Returns E, a power of two up to ``EVALUATION_BATCH``, less where a layer computes very much.

        On several devices it is a multiple of their number.
        """
        room = max(_EVALUATION_BYTES // (4 * self.family.activations(specs)), 1)
        batch = min(EVALUATION_BATCH, 2 ** (room.bit_length() - 1))
        return int(-(-batch // self.layout.num_devices) * self.layout.num_devices)

    def train(
        self, shape: TrainingShape, state: State, own: Own, chunk: Chunk, *, objective: Objective
    ) -> tuple[State, jax.Array]:
        """Returns the state after the steps of a chunk, and their mean loss: one dispatch; consumes ``state``.

        For children trained together ``state`` and ``own`` have a first axis [K], and so have the losses.
        """
        args = (state, own, chunk)
        with self.meter.timing("compile"):
            program = self.cache.compiled(self._training(shape, objective), args, on_wait=self.on_wait)
        return program(*args)  # type: ignore[no-any-return]

    def train_ahead(
        self,
        executor: Executor,
        shape: TrainingShape,
        state: State,
        own: Own,
        chunk: Chunk,
        *,
        objective: Objective,
        is_next: bool,
    ) -> None:
        """Compiles in the background what ``train`` will need; the arguments say shapes, and hold no numbers.

        Of what is needed next only the compiler runs beside others: what is done in Python would keep them waiting.
        """
        program, args = self._training(shape, objective), (state, own, chunk)
        lowered = self.cache.lowered(program, args) if is_next else None
        executor.submit(self.cache.compiled, program, args, on_wait=lambda _what: None, lowered=lowered)

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
        for begin, end, program in self._stages(specs, above, together=together):
            inputs = self._run(program, row[begin:end], inputs)
        return inputs

    def activations_ahead(
        self,
        executor: Executor,
        specs: tuple[LayerSpec, ...],
        row: Row,
        inputs: jax.ShapeDtypeStruct,
        *,
        together: bool = False,
    ) -> None:
        """Compiles in the background what ``activations`` will need; the arguments say shapes, and hold no numbers."""

        def compile_all() -> None:
            given: Any = inputs
            for begin, end, program in self._stages(specs, (), together=together):
                args = (row[begin:end], given)
                given = self.cache.compiled(program, args, on_wait=lambda _what: None).out_info  # type: ignore[attr-defined]

        executor.submit(compile_all)

    def _stages(
        self, specs: tuple[LayerSpec, ...], above: tuple[LayerSpec, ...], *, together: bool
    ) -> Iterator[tuple[int, int, Program]]:
        """Yields where each stage begins and ends, and its program."""
        cuts = self.family.stages(specs)
        for begin, end in zip(cuts, (*cuts[1:], len(specs)), strict=True):
            part = nameless(specs[begin:end])
            place = {
                "specs": part,
                "above": self.family.deciding(nameless((*specs[end:], *above)[:1])),
                "rows": CHILDREN if together else None,
                "inputs": CHILDREN if together and begin > 0 else None,
            }
            yield begin, end, Program(function=self._computation.stage, static=place, what=_title("stage", part))

    def output(
        self, specs: tuple[LayerSpec, ...], above: tuple[LayerSpec, ...], input_spec: InputSpec
    ) -> jax.ShapeDtypeStruct:
        """Returns shape and type of what the first layers of a model make of one example."""
        if not specs:
            return jax.ShapeDtypeStruct(input_spec.shape, input_spec.dtype)
        key = (nameless(specs), self.family.deciding(nameless(above)), input_spec)
        if key not in self._outputs:
            row = tuple(self._abstract(spec) for spec in specs)
            alone = jax.ShapeDtypeStruct((1, *input_spec.shape), input_spec.dtype)
            made = jax.eval_shape(partial(self.family.apply, specs, above=above, precision=self.precision), row, alone)
            self._outputs[key] = jax.ShapeDtypeStruct(made.shape[1:], made.dtype)
        return self._outputs[key]

    def run(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        """Returns what a pure ``function`` of arrays makes of ``args``, compiled once under the name ``what``."""
        return self._run(Program(function=function, what=what), *args)

    @property
    def _computation(self) -> Computation:
        return Computation(family=self.family, precision=self.precision, layout=self.layout)

    def _abstract(self, spec: LayerSpec) -> dict[str, jax.ShapeDtypeStruct]:
        return {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in self.family.shapes(spec).items()}

    def _training(self, shape: TrainingShape, objective: Objective) -> Program:
        what, static = _title("train", shape.specs), {"shape": shape, "objective": objective}
        return Program(function=self._computation.train, static=static, what=what, donate=(0,))

    def _run(self, program: Program, *args: Any) -> Any:
        with self.meter.timing("compile"):
            compiled = self.cache.compiled(program, args, on_wait=self.on_wait)
        return compiled(*args)


def _title(name: str, specs: Sequence[LayerSpec]) -> str:
    """Returns what a program is called when it is told of."""
    return f"{name} {specs[0].kind}..{specs[-1].kind}"
