"""Training children: cycles of gradient steps and validations, of which each child's best is kept.

Children that share a program and a frozen part are trained by it together where that is faster; otherwise there is one
at a time. ``K`` is the number of children trained together; their arrays have a first axis [K].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from functools import cache, reduce
from typing import Any

import jax
import numpy as np

from mu2net_core.engine.beginning import begin, padded
from mu2net_core.engine.blueprint import Blueprint
from mu2net_core.engine.cycle import Cycle, Dispatch, Supply, order_of
from mu2net_core.engine.evaluate import tallied
from mu2net_core.engine.feeding import Frozen, Held, SizedData
from mu2net_core.engine.optimizer import Moments, OptimizerSettings, Remembered, as_stored, optimizer_of
from mu2net_core.engine.placement import give_back_freed
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.slots import Slot
from mu2net_core.engine.training import Own, Row, State
from mu2net_core.nn import Arrays, Params
from mu2net_core.objectives import Objective, Sums, add
from mu2net_core.objects import Hyperparameter
from mu2net_core.presets import TrainingConfig
from mu2net_core.seeds import derive_seed

__all__ = ["DEAF", "Job", "Listener", "Trained", "Trainer"]


_SIGNS = 10
"""So often at most something is heard of a training cycle before its end."""

_LARGE_BYTES = 2**27
"""Parameters that take more are given back to the machine where they were only on their way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A child to train.

    Attributes:
        blueprint: how it is built.
        hyperparameters: its own.
        seed: of what it begins with, and of the order it sees examples in.
        adaptive: whether its program keeps what AdamW remembers, for this child or for others.
        worth_keeping: whether a validation quality is good enough to be kept.
    """

    blueprint: Blueprint
    hyperparameters: Mapping[str, Hyperparameter]
    seed: int
    worth_keeping: Callable[[float], bool]
    adaptive: bool = False

    @property
    def optimizer(self) -> str:
        """What trains it, ``ADAMW`` or ``SGD``."""
        return optimizer_of(self.hyperparameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a child's training came to.

    Attributes:
        curve: validation quality after each cycle, in [0, 1].
        best_cycle: index of the cycle that was kept, None if none reached the floor.
        params: of the slots from the boundary up, at that cycle, on the host.
        opt_state: likewise, what the optimizer remembers of them, as components keep it.
        steps: gradient steps up to and including that cycle.
        examples: seen in those steps.
        all_examples: seen in all steps, those after that cycle too.
        finite: whether every loss was.
    """

    curve: tuple[float, ...]
    best_cycle: int | None
    params: tuple[Arrays, ...]
    opt_state: tuple[Arrays, ...]
    steps: int
    examples: int
    all_examples: int
    finite: bool

    @property
    def size_bytes(self) -> int:
        """How much memory its arrays take."""
        return sum(array.nbytes for layer in (*self.params, *self.opt_state) for array in layer.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Is told of children by number.

    Attributes:
        on_steps: within a cycle, of the child, the cycle, the steps of it that are done, and the loss of the last ones.
        on_cycle: after a cycle, of the child, the cycle, and the validation quality, None if it diverged.
    """

    on_steps: Callable[[int, int, int, float], None] = lambda _child, _cycle, _steps, _loss: None
    on_cycle: Callable[[int, int, float | None], None] = lambda _child, _cycle, _quality: None

    def of(self, children: Sequence[int]) -> Listener:
        """Returns what is told of ``children`` by their places among these; those beyond only fill a program."""

        def on_steps(index: int, cycle: int, steps: int, loss: float) -> None:
            if index < len(children):
                self.on_steps(children[index], cycle, steps, loss)

        def on_cycle(index: int, cycle: int, quality: float | None) -> None:
            if index < len(children):
                self.on_cycle(children[index], cycle, quality)

        return Listener(on_steps=on_steps, on_cycle=on_cycle)


DEAF = Listener()
"""Does nothing."""


@dataclass(slots=True)
class _Child:
    """A child on its way: what it reached so far."""

    job: Job
    curve: list[float]
    finite: bool = True
    best_cycle: int | None = None
    best: tuple[float, float] | None = None
    kept: tuple[tuple[Arrays, ...], tuple[Arrays, ...]] = ((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """Trains the children of a generation.

    Attributes:
        data: of the task, as all of them take it.
        pool: of components.
        programs: compiled.
        config: of the training.
        objective: what outputs are worth.
    """

    data: SizedData
    pool: ComponentPool
    programs: Programs
    config: TrainingConfig
    objective: Objective

    def train(
        self,
        jobs: Sequence[Job],
        *,
        seed: int,
        listener: Listener = DEAF,
        only: int | None = None,
    ) -> list[Trained]:
        """Returns each child after ``config.validations`` cycles, as long as ``cycle_of`` says.

        Of the validations that are worth keeping the best is kept; where they tie, that of the least loss, and of
        equal ones the latest. A child is given up at the first loss that is not finite.

        Args:
            jobs: children that share the shapes of all their slots and their frozen part.
            seed: of what the children of a generation share: preprocessing, and which examples a dispatch has.
            listener: told how each job goes, by its index.
            only: the index of the cycle to keep, whatever its validation says, where that is known; it is the last one.
        """
        supply = self._supply(jobs)
        state = self._begun(jobs)
        children = [_Child(job=job, curve=[]) for job in jobs]
        cycles = self.config.validations if only is None else only + 1
        for number in range(cycles):
            state, losses = self._cycle(jobs, supply, state, number, seed, listener)
            self.programs.meter.examples += supply.cycle.examples * len({id(job) for job in jobs})
            with self.programs.meter.timing("validate"):
                quality, loss, finite = self._validate(jobs, supply, state[0])
            last = number == cycles - 1
            for index, child in enumerate(children):
                reached = float(quality[index]) if finite[index] and math.isfinite(losses[index]) else None
                place = index if len(jobs) > 1 else None
                _note(child, reached, float(loss[index]), state, place, last=last, may_keep=last or only is None)
                listener.on_cycle(index, number, reached)
            if not any(child.finite for child in children):
                break
        return [_trained(child, supply.cycle) for child in children]

    def compile_ahead(self, jobs: Sequence[Job], executor: Executor, *, is_next: bool) -> None:
        """Compiles in the background what ``train`` of the same jobs will need, next or later."""
        row, count, programs = jobs[0].blueprint.row, len(jobs), self.programs
        supply = self._supply(jobs)

        def promise(shape: tuple[int, ...], dtype: str) -> jax.ShapeDtypeStruct:
            return programs.placement.promise(shape, np.dtype(dtype), children=count)

        def alike(slot: Slot) -> dict[str, jax.ShapeDtypeStruct]:
            return {name: promise(*shape) for name, shape in programs.family.shapes(slot.spec).items()}

        def kept(slot: Slot) -> Any:
            if not jobs[0].adaptive:
                return alike(slot)
            return Moments(first=alike(slot), second=alike(slot), corrections=promise((2,), "float32"))  # type: ignore[arg-type]

        flags = None if row.is_own else promise((len(row.slots),), "bool")
        own = Own(
            settings=OptimizerSettings(*(promise((), "float32") for _ in fields(OptimizerSettings))),  # type: ignore[arg-type]
            smoothing=promise((), "float32"),  # type: ignore[arg-type]
            trainable=flags,  # type: ignore[arg-type]
            present=flags,  # type: ignore[arg-type]
            order=promise((supply.most_steps, supply.cycle.batch), "int32"),  # type: ignore[arg-type]
        )
        params = tuple(alike(slot) for slot in row.slots)
        remembered = tuple({} if row.is_own and not slot.trainable else kept(slot) for slot in row.slots)
        state = (params, remembered, promise((), "int32"))
        shape = row.shape(together=count > 1)
        chunk = supply.promise()
        arguments: tuple[Any, ...] = (shape, state, own, chunk)
        programs.train_ahead(executor, *arguments, objective=self.objective, is_next=is_next)
        full = _full(jobs)
        specs, used = tuple(row.slots[index].spec for index in full), tuple(params[index] for index in full)
        programs.activations_ahead(executor, specs, used, supply.promise_held(), together=count > 1)  # type: ignore[arg-type]

    def frozen_part(self, blueprint: Blueprint) -> Frozen:
        """Returns the part of a child below its gradient boundary."""
        family, put = self.programs.family, self.programs.placement.put
        layers = [layer for layer in blueprint.frozen if layer.source is not None]
        ids = tuple(layer.source.id for layer in layers if layer.source is not None)
        specs = tuple(family.roomy(layer.spec) for layer in layers)

        def row() -> Row:
            arrays = [self.pool.component(oid).params for oid in ids]
            sized = [padded(params, spec, family) for params, spec in zip(arrays, specs, strict=True)]
            return tuple({name: put(array) for name, array in params.items()} for params in sized)

        return Frozen(
            ids=ids,
            specs=specs,
            above=tuple(slot.spec for slot in blueprint.slots[:1]),
            row=cache(row),
            batch=self.programs.evaluation_batch(blueprint.specs),
        )

    def _supply(self, jobs: Sequence[Job]) -> Supply:
        frozen = self.frozen_part(jobs[0].blueprint)
        return Supply.of(jobs[0].hyperparameters, self.data, frozen, self.programs, self.config)

    def _begun(self, jobs: Sequence[Job]) -> State:
        """Returns what training begins with on the devices; on the host nothing of it is left."""
        starts = [self._start(job) for job in jobs]
        params, remembered = self.programs.placement.put_all(starts)
        size_bytes = sum(array.nbytes for array in jax.tree.leaves(params))
        del starts
        if size_bytes > _LARGE_BYTES:
            give_back_freed()
        return params, remembered, self.programs.placement.put_all([np.int32(0)] * len(jobs))  # type: ignore[return-value]

    def _start(self, job: Job) -> tuple[tuple[Arrays, ...], tuple[Remembered, ...]]:
        """Returns what a child begins with, on the host."""
        row, family = job.blueprint.row, self.programs.family
        return begin(row, job.seed, self.pool, family, optimizer=job.optimizer, adaptive=job.adaptive)

    def _cycle(
        self, jobs: Sequence[Job], supply: Supply, state: State, number: int, seed: int, listener: Listener
    ) -> tuple[State, np.ndarray]:
        """Returns the state after one cycle, and float32 [K] mean losses.

        Of a dispatch is told when the next one is on its way, so that the device never waits for it.
        """
        row, losses, done, told = jobs[0].blueprint.row, list[jax.Array](), 0, 0
        shape = row.shape(together=len(jobs) > 1)
        with self.programs.meter.timing("train"):
            for dispatch in supply.dispatches(derive_seed(seed, "examples", number), variant=row.variant):
                owns = [self._own(job, supply, dispatch, number) for job in jobs]
                own = self.programs.placement.put_all(owns)
                state, loss = self.programs.train(shape, state, own, dispatch.chunk, objective=self.objective)
                if losses and (tenths := _SIGNS * done // supply.cycle.steps) > told:
                    told = tenths
                    for index, last in enumerate(np.reshape(losses[-1], -1)):
                        listener.on_steps(index, number, done, float(last))
                losses.append(loss)
                done += dispatch.steps
            return state, np.mean([np.asarray(loss) for loss in losses], axis=0).reshape(-1)

    def _own(self, job: Job, supply: Supply, dispatch: Dispatch, number: int) -> Own:
        """Returns what a child alone gets in a dispatch, on the host."""
        cycle, row = supply.cycle, job.blueprint.row
        total = cycle.steps * self.config.validations
        order = order_of(
            derive_seed(job.seed, "cycle", number, dispatch.number), dispatch.steps, cycle.batch, supply.most_steps,
            num_examples=dispatch.num_examples, done=dispatch.done,
        )  # fmt: skip
        return Own(
            settings=OptimizerSettings.of(job.hyperparameters, total),
            smoothing=np.float32(job.hyperparameters.get("label_smoothing", 0.0)),  # type: ignore[arg-type]
            trainable=None if row.is_own else np.array([slot.trainable for slot in row.slots]),  # type: ignore[arg-type]
            present=None if row.is_own else np.array([slot.layer is not None for slot in row.slots]),  # type: ignore[arg-type]
            order=order,  # type: ignore[arg-type]
        )

    def _validate(self, jobs: Sequence[Job], supply: Supply, params: Row) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns float64 [K] qualities and losses, 0 where the objective does not tell, and bool [K] are all finite.

        Empty slots are passed over.
        """
        slots, programs, full = jobs[0].blueprint.slots, self.programs, _full(jobs)
        specs, row = tuple(slots[index].spec for index in full), tuple(params[index] for index in full)
        num_outputs, together = programs.family.num_outputs(jobs[0].blueprint.specs), len(jobs) > 1

        def tally(held: Held) -> tuple[Sums, np.ndarray]:
            given = np.asarray(programs.activations(specs, row, held.inputs, together=together))
            return tallied(self.objective, given[..., :num_outputs], held.labels)

        parts, finite = zip(*map(tally, supply.held()), strict=True)
        sums = reduce(add, parts)
        quality = self.objective.quality(sums).reshape(-1)
        loss = np.reshape(sums.get("loss", np.zeros(len(quality))), -1)
        return quality, loss, np.all(finite, axis=0).reshape(-1)


def _full(jobs: Sequence[Job]) -> list[int]:
    """Returns which slots are in use by any of the children."""
    return [
        index for index in range(len(jobs[0].blueprint.slots)) if any(job.blueprint.slots[index].layer for job in jobs)
    ]


def _note(
    child: _Child,
    quality: float | None,
    loss: float,
    state: State,
    index: int | None,
    *,
    last: bool,
    may_keep: bool,
) -> None:
    """Takes in the quality and loss that a cycle reached, None if it diverged, and its numbers if they are kept.

    They are copied, because the next cycle consumes the state; after the ``last`` there is none.
    """
    child.finite = child.finite and quality is not None
    if quality is None or not child.finite:
        return
    child.curve.append(quality)
    reached = (quality, -loss)
    if may_keep and child.job.worth_keeping(quality) and (child.best is None or reached >= child.best):
        child.best, child.best_cycle = reached, len(child.curve) - 1
        child.kept = ((), ())  # lets go of the old ones before the new ones are made
        full = [slot.layer is not None for slot in child.job.blueprint.slots]
        params = tuple(
            _to_host(layer, index, copy=not last) if is_full else {}
            for layer, is_full in zip(state[0], full, strict=True)
        )
        opt_state = tuple(
            _to_host(as_stored(layer, child.job.optimizer), index, copy=not last) if is_full else {}
            for layer, is_full in zip(state[1], full, strict=True)
        )
        child.kept = params, opt_state


def _to_host(layer: Params, index: int | None, *, copy: bool) -> Arrays:
    whole = {name: np.asarray(array) for name, array in layer.items()}
    if index is not None:
        return {name: np.array(array[index]) for name, array in whole.items()}
    return {name: np.array(array) for name, array in whole.items()} if copy else whole


def _trained(child: _Child, cycle: Cycle) -> Trained:
    done = 0 if child.best_cycle is None else child.best_cycle + 1
    return Trained(
        curve=tuple(child.curve),
        best_cycle=child.best_cycle if child.finite else None,
        params=child.kept[0],
        opt_state=child.kept[1],
        steps=done * cycle.steps,
        examples=done * cycle.examples,
        all_examples=(len(child.curve) + (not child.finite)) * cycle.examples,
        finite=child.finite,
    )
