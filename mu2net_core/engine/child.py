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

from mu2net_core.engine.beginning import begin
from mu2net_core.engine.blueprint import Blueprint
from mu2net_core.engine.cycle import Cycle, Supply, seed_words
from mu2net_core.engine.evaluate import tallied
from mu2net_core.engine.feeding import Frozen, SizedData
from mu2net_core.engine.memory import give_back_freed
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs, Row, State
from mu2net_core.nn import Arrays, LayerSpec, Params
from mu2net_core.objectives import Objective, add
from mu2net_core.objects import Hyperparameter
from mu2net_core.presets import TrainingConfig
from mu2net_core.seeds import derive_seed

__all__ = ["Job", "Trained", "frozen_part", "train_ahead", "train_children"]


_LARGE_BYTES = 2**27
"""Parameters that take more are given back to the machine where they were only on their way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A child to train.

    Attributes:
        blueprint: how it is built.
        hyperparameters: its own.
        seed: of what it begins with, and of the order it sees examples in.
        worth_keeping: whether a validation quality is good enough to be kept.
    """

    blueprint: Blueprint
    hyperparameters: Mapping[str, Hyperparameter]
    seed: int
    worth_keeping: Callable[[float], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a child's training came to.

    Attributes:
        curve: validation quality after each cycle, in [0, 1].
        best_cycle: index of the cycle that was kept, None if none reached the floor.
        params: of the slots from the boundary up, at that cycle, on the host.
        momentum: likewise.
        steps: gradient steps up to and including that cycle.
        examples: seen in those steps.
        all_examples: seen in all steps, those after that cycle too.
        finite: whether every loss was.
    """

    curve: tuple[float, ...]
    best_cycle: int | None
    params: tuple[Arrays, ...]
    momentum: tuple[Arrays, ...]
    steps: int
    examples: int
    all_examples: int
    finite: bool

    @property
    def size_bytes(self) -> int:
        """How much memory its arrays take."""
        return sum(array.nbytes for layer in (*self.params, *self.momentum) for array in layer.values())


@dataclass(slots=True)
class _Child:
    """A child on its way: what it reached so far."""

    job: Job
    curve: list[float]
    finite: bool = True
    best_cycle: int | None = None
    kept: tuple[tuple[Arrays, ...], tuple[Arrays, ...]] = ((), ())


def train_children(
    jobs: Sequence[Job],
    *,
    data: SizedData,
    pool: ComponentPool,
    programs: Programs,
    config: TrainingConfig,
    objective: Objective,
    seed: int,
    on_cycle: Callable[[int, int, float | None], None] = lambda _index, _cycle, _quality: None,
) -> list[Trained]:
    """Returns each child after ``config.validations`` cycles of min(1 epoch, ``samples_cap``) examples each.

    Of the validations that are worth keeping the best is kept, the latest where they tie. A child is given up at the
    first loss that is not finite.

    Args:
        jobs: children that share the shapes of all their slots and their frozen part.
        data: of the task, as all of them take it.
        pool: of components.
        programs: compiled.
        config: of the training.
        objective: what outputs are worth.
        seed: of what the children of a generation share: preprocessing, and the order of examples that are streamed.
        on_cycle: told after each cycle of each job's index, the cycle, and the quality, None if it diverged.
    """
    supply = _supply(jobs, data, pool, programs, config)
    specs = tuple(slot.spec for slot in jobs[0].blueprint.slots)
    total = supply.cycle.total_steps * config.validations
    settings = _placed([OptimizerSettings.of(job.hyperparameters, total) for job in jobs], programs)
    trainable = _placed([np.array([slot.trainable for slot in job.blueprint.slots]) for job in jobs], programs)
    state: State = (*_begun(jobs, pool, programs), _zero(len(jobs), programs))
    children = [_Child(job=job, curve=[]) for job in jobs]
    for number in range(config.validations):
        with programs.meter.timing("train"):
            words = [seed_words(derive_seed(job.seed, "cycle", number)) for job in jobs]
            losses = []
            for place, (inputs, labels) in enumerate(supply.dispatches(derive_seed(seed, "examples", number))):
                seeds = _placed([word ^ np.array([0, place], np.uint32) for word in words], programs)
                state, loss = programs.train(
                    specs, state, settings, trainable, inputs, labels, seeds,
                    objective=objective, steps=supply.cycle.steps, batch=supply.cycle.batch, clip_norm=config.clip_norm,
                )  # fmt: skip
                losses.append(loss)
            mean = np.mean([np.asarray(loss) for loss in losses], axis=0).reshape(-1)
        programs.meter.examples += supply.cycle.examples * len({id(job) for job in jobs})
        with programs.meter.timing("validate"):
            quality, finite = _validate(supply, specs, state[0], objective, together=len(jobs) > 1)
        last = number == config.validations - 1
        for index, child in enumerate(children):
            reached = float(quality[index]) if finite[index] and math.isfinite(mean[index]) else None
            _note(child, reached, state, index if len(jobs) > 1 else None, last=last)
            on_cycle(index, number, reached)
        if not any(child.finite for child in children):
            break
    return [_trained(child, supply.cycle) for child in children]


def frozen_part(blueprint: Blueprint, pool: ComponentPool, programs: Programs) -> Frozen:
    """Returns the part of a child below its gradient boundary."""
    ids = tuple(layer.source.id for layer in blueprint.frozen if layer.source is not None)
    return Frozen(
        ids=ids,
        specs=tuple(layer.spec for layer in blueprint.frozen),
        above=tuple(slot.spec for slot in blueprint.slots[:1]),
        row=cache(lambda: tuple(_on_device(pool.component(oid).params, programs) for oid in ids)),
        batch=programs.evaluation_batch(blueprint.specs),
    )


def _on_device(arrays: Arrays, programs: Programs) -> Params:
    return {name: programs.put(array) for name, array in arrays.items()}


def train_ahead(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    data: SizedData,
    pool: ComponentPool,
    programs: Programs,
    config: TrainingConfig,
    objective: Objective,
) -> None:
    """Compiles in the background what ``train_children`` of the same jobs will need."""
    count, specs = len(jobs), tuple(slot.spec for slot in jobs[0].blueprint.slots)
    supply = _supply(jobs, data, pool, programs, config)
    row = tuple(
        {name: _promise(shape, dtype, count, programs) for name, (shape, dtype) in programs.family.shapes(spec).items()}
        for spec in specs
    )
    args = (
        (row, row, _promise((), "int32", count, programs)),
        OptimizerSettings(*(_promise((), "float32", count, programs) for _ in fields(OptimizerSettings))),  # type: ignore[arg-type]
        _promise((len(specs),), "bool", count, programs),
        _promise((2,), "uint32", count, programs),
        *supply.promise(),
    )
    sizes = {"steps": supply.cycle.steps, "batch": supply.cycle.batch, "clip_norm": config.clip_norm}
    programs.train_ahead(executor, specs, args, objective=objective, **sizes)


def _supply(
    jobs: Sequence[Job], data: SizedData, pool: ComponentPool, programs: Programs, config: TrainingConfig
) -> Supply:
    frozen = frozen_part(jobs[0].blueprint, pool, programs)
    return Supply.plan(jobs[0].hyperparameters, data, frozen, programs, config)


def _promise(shape: tuple[int, ...], dtype: str, count: int, programs: Programs) -> jax.ShapeDtypeStruct:
    """Returns what stands for an array of each of ``count`` children."""
    return programs.promise(shape if count == 1 else (count, *shape), dtype, together=count > 1)


def _validate(
    supply: Supply, specs: tuple[LayerSpec, ...], row: Row, objective: Objective, *, together: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns float64 [K] qualities, and bool [K] whether all outputs are finite."""
    programs = supply.programs
    made = [(programs.activations(specs, row, held.inputs, together=together), held.labels) for held in supply.held()]
    sums, finite = zip(*(tallied(objective, outputs, labels) for outputs, labels in made), strict=True)
    return objective.quality(reduce(add, sums)).reshape(-1), np.all(finite, axis=0).reshape(-1)


def _note(child: _Child, quality: float | None, state: State, index: int | None, *, last: bool) -> None:
    """Takes in the quality that a cycle reached, None if it diverged, and its numbers if they are to be kept.

    They are copied, because the next cycle consumes the state; after the ``last`` there is none.
    """
    child.finite = child.finite and quality is not None
    if quality is None or not child.finite:
        return
    child.curve.append(quality)
    best = child.best_cycle
    if child.job.worth_keeping(child.curve[-1]) and (best is None or child.curve[-1] >= child.curve[best]):
        child.best_cycle = len(child.curve) - 1
        child.kept = ((), ())  # lets go of the old ones before the new ones are made
        params, momentum = (tuple(_to_host(layer, index, copy=not last) for layer in row) for row in state[:2])
        child.kept = params, momentum


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
        momentum=child.kept[1],
        steps=done * cycle.total_steps,
        examples=done * cycle.examples,
        all_examples=(len(child.curve) + (not child.finite)) * cycle.examples,
        finite=child.finite,
    )


def _placed(trees: Sequence[Any], programs: Programs) -> Any:
    """Returns one tree on the devices: of a single child as it is, of several with a first axis of children."""
    if len(trees) == 1:
        return jax.tree.map(lambda leaf: programs.put(leaf, consumed=True), trees[0])
    return jax.tree.map(lambda *leaves: programs.put(np.stack(leaves), together=True), *trees)


def _begun(jobs: Sequence[Job], pool: ComponentPool, programs: Programs) -> tuple[Row, Row]:
    """Returns parameters and momentum on the devices; on the host nothing of them is left."""
    starts = [begin(job.blueprint.slots, job.seed, pool, programs.family) for job in jobs]
    params, momentum = _placed(starts, programs)
    size_bytes = sum(array.nbytes for array in jax.tree.leaves(params))
    del starts
    if size_bytes > _LARGE_BYTES:
        give_back_freed()
    return params, momentum


def _zero(count: int, programs: Programs) -> jax.Array:
    return programs.put(np.zeros(count if count > 1 else (), np.int32), together=count > 1)
