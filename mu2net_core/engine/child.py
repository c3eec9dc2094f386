"""Training children: cycles of gradient steps and validations, of which each child's best is kept.

Children that share a program and a frozen part are trained by it together where that is faster; otherwise there is one
at a time. ``K`` is the number of children trained together; their arrays have a first axis [K].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from typing import Any

import jax
import numpy as np

from mu2net_core.data.augment import Augmentation, augment, is_identity
from mu2net_core.engine.blueprint import Blueprint, LayerPlan
from mu2net_core.engine.feeding import Frozen, SizedData, through
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs, Row
from mu2net_core.nn import ArchitectureFamily, Arrays, LayerSpec
from mu2net_core.objects import Hyperparameter
from mu2net_core.presets import TrainingConfig
from mu2net_core.seeds import derive_seed

__all__ = [
    "Cycle",
    "Job",
    "Trained",
    "cycle_of",
    "frozen_part",
    "plan_cycle",
    "seed_words",
    "start",
    "train_ahead",
    "train_children",
]

_CHUNK_BYTES = 2**25
"""Of examples that are on their way to the device, and what a frozen part makes of them."""


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
        finite: whether every loss was.
    """

    curve: tuple[float, ...]
    best_cycle: int | None
    params: tuple[Arrays, ...]
    momentum: tuple[Arrays, ...]
    steps: int
    examples: int
    finite: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What one training cycle consists of: ``chunks`` dispatches of ``steps`` gradient steps on ``batch`` examples."""

    chunks: int
    steps: int
    batch: int

    @property
    def total_steps(self) -> int:
        """Gradient steps in the cycle."""
        return self.chunks * self.steps

    @property
    def examples(self) -> int:
        """Examples seen in the cycle."""
        return self.total_steps * self.batch


@dataclass(slots=True)
class _Child:
    """A child on its way: what it reached so far."""

    job: Job
    curve: list[float]
    finite: bool = True
    best_cycle: int | None = None
    kept: tuple[tuple[Arrays, ...], tuple[Arrays, ...]] = ((), ())


def seed_words(seed: int) -> np.ndarray:
    """Returns all 63 bits of a seed as JAX's key data, uint32 [2]."""
    return np.array([seed >> 32, seed & 0xFFFFFFFF], dtype=np.uint32)


def cycle_of(num_examples: int, config: TrainingConfig, *, parts: int = 1, chunk_examples: int | None = None) -> Cycle:
    """Returns a cycle of (nearly) min(1 epoch, ``samples_cap``) examples, each used once, in batches of one size.

    Args:
        num_examples: there are.
        config: batch size and cap.
        parts: the batch is spread over so many devices, a multiple of which it is.
        chunk_examples: that fit into one dispatch; None for any number.
    """
    per_cycle = min(num_examples, config.samples_cap)
    steps = -(-per_cycle // config.batch_size)
    batch = max(per_cycle // steps // parts, 1) * parts
    chunks = 1 if chunk_examples is None else min(steps, -(-steps * batch // max(chunk_examples, batch)))
    return Cycle(chunks=chunks, steps=steps // chunks, batch=batch)


def train_children(
    jobs: Sequence[Job],
    *,
    data: SizedData,
    pool: ComponentPool,
    programs: Programs,
    config: TrainingConfig,
    seed: int,
) -> list[Trained]:
    """Returns each child after ``config.validations`` cycles of min(1 epoch, ``samples_cap``) examples each.

    Of the validations that are worth keeping the best is kept, the latest where they tie. A child is given up at the
    first loss that is not finite.

    Args:
        jobs: children that share the shapes of all their slots and their frozen part.
        data: of the task, at the image size they share.
        pool: of components.
        programs: compiled.
        config: of the training.
        seed: of what the children of a generation share: preprocessing, and the order of examples that are streamed.
    """
    together = len(jobs) > 1
    blueprint, frozen = jobs[0].blueprint, frozen_part(jobs[0].blueprint, pool, programs)
    specs = tuple(slot.spec for slot in blueprint.slots)
    augmentation = None if is_identity(jobs[0].hyperparameters) else Augmentation.of(jobs[0].hyperparameters)
    at_once, cycle = plan_cycle(jobs[0], data, frozen, programs, config)
    whole = data.train_above(frozen, programs) if at_once else None
    total = cycle.total_steps * config.validations
    settings = _placed([OptimizerSettings.of(job.hyperparameters, total) for job in jobs], programs)
    trainable = _placed([np.array([slot.trainable for slot in job.blueprint.slots]) for job in jobs], programs)
    state = (*_placed([start(job, pool, programs.family) for job in jobs], programs), _zero(len(jobs), programs))
    children = [_Child(job=job, curve=[]) for job in jobs]
    for number in range(config.validations):
        words = [seed_words(derive_seed(job.seed, "cycle", number)) for job in jobs]
        chunks = _chunks(data, cycle, whole, frozen, programs, augmentation, derive_seed(seed, "examples", number))
        with programs.meter.timing("train"):
            losses = []
            for place, (inputs, labels) in enumerate(chunks):
                seeds = _placed([_moved(word, place) for word in words], programs)
                state, loss = programs.train(
                    specs, state, settings, trainable, inputs, labels, seeds,
                    steps=cycle.steps, batch=cycle.batch, clip_norm=config.clip_norm,
                )  # fmt: skip
                losses.append(loss)
            mean = np.mean([np.asarray(loss) for loss in losses], axis=0).reshape(-1)
        programs.meter.examples += cycle.examples * len(jobs)
        with programs.meter.timing("validate"):
            quality, finite = _validate(data, specs, state[0], frozen, programs, together=together)
        for index, child in enumerate(children):
            reached = float(quality[index]) if finite[index] and math.isfinite(mean[index]) else None
            _note(child, reached, state, index if together else None)
        if not any(child.finite for child in children):
            break
    return [_trained(child, cycle) for child in children]


def frozen_part(blueprint: Blueprint, pool: ComponentPool, programs: Programs) -> Frozen:
    """Returns the part of a child below its gradient boundary."""
    ids = tuple(layer.source.id for layer in blueprint.frozen if layer.source is not None)
    return Frozen(
        ids=ids,
        specs=tuple(layer.spec for layer in blueprint.frozen),
        above=tuple(slot.spec for slot in blueprint.slots[:1]),
        row=lambda: tuple({name: programs.put(a) for name, a in pool.component(oid).params.items()} for oid in ids),
        batch=programs.evaluation_batch(blueprint.specs),
    )


def start(job: Job, pool: ComponentPool, family: ArchitectureFamily) -> tuple[tuple[Arrays, ...], tuple[Arrays, ...]]:
    """Returns the parameters and momentum that a child's slots begin with, on the host."""
    rows = [_begin(slot.layer, job.seed, pool, family) for slot in job.blueprint.slots]
    shapes = [family.shapes(slot.spec) for slot in job.blueprint.slots]
    return (
        tuple(_padded(params, shape) for (params, _), shape in zip(rows, shapes, strict=True)),
        tuple(_padded(momentum, shape) for (_, momentum), shape in zip(rows, shapes, strict=True)),
    )


def _begin(
    layer: LayerPlan | None, seed: int, pool: ComponentPool, family: ArchitectureFamily
) -> tuple[Arrays, Arrays]:
    if layer is None:
        return {}, {}
    rng = np.random.Generator(np.random.Philox(derive_seed(seed, "init", layer.spec.name)))
    if layer.source is None:
        return family.init(layer.spec, rng, identity=layer.identity), {}
    component = pool.component(layer.source.id)
    if layer.operation in {"interpolate", "grow"} and layer.trainable:
        shapes = {name: shape for name, (shape, _) in family.shapes(layer.spec).items()}
        if shapes != {name: array.shape for name, array in component.params.items()}:
            return family.adapted(layer.spec, component.params, rng), {}
    if not layer.trainable:
        return component.params, {}
    state = {name: component.opt_state.get(f"momentum/{name}") for name in component.params}
    return component.params, {name: array for name, array in state.items() if array is not None}


def _padded(arrays: Arrays, shapes: Mapping[str, tuple[tuple[int, ...], str]]) -> Arrays:
    """Returns arrays of the wanted shapes, with zeros at the end of every axis and for what is missing."""
    padded = {}
    for name, (shape, dtype) in shapes.items():
        found = arrays.get(name)
        if found is None or found.shape != shape:
            room = np.zeros(shape, dtype)
            if found is not None:
                room[tuple(slice(0, size) for size in found.shape)] = found
            found = room
        padded[name] = np.asarray(found, dtype)
    return padded


def plan_cycle(
    job: Job, data: SizedData, frozen: Frozen, programs: Programs, config: TrainingConfig
) -> tuple[bool, Cycle]:
    """Returns whether each cycle is one dispatch on all examples as they lie on the device, and the cycle."""
    parts = programs.layout.batch_parts
    if is_identity(job.hyperparameters) and data.fits(frozen, programs):
        return True, cycle_of(data.train.num_examples, config, parts=parts)
    made = programs.output(frozen.specs, frozen.above, data.side)
    example_bytes = 3 * data.side**2 + math.prod(made.shape) * made.dtype.itemsize
    room = max(_CHUNK_BYTES // example_bytes, 1)
    return False, cycle_of(data.train.num_examples, config, parts=parts, chunk_examples=room)


def train_ahead(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    data: SizedData,
    pool: ComponentPool,
    programs: Programs,
    config: TrainingConfig,
) -> None:
    """Compiles in the background what ``train_children`` of the same jobs will need."""
    count, slots, frozen = len(jobs), jobs[0].blueprint.slots, frozen_part(jobs[0].blueprint, pool, programs)
    at_once, cycle = plan_cycle(jobs[0], data, frozen, programs, config)
    num_examples = data.train.num_examples if at_once else cycle.steps * cycle.batch
    made = programs.output(frozen.specs, frozen.above, data.side)
    row = tuple(
        {name: _promise(shape, dtype, count, programs) for name, (shape, dtype) in programs.family.shapes(spec).items()}
        for spec in (slot.spec for slot in slots)
    )
    args = (
        (row, row, _promise((), "int32", count, programs)),
        OptimizerSettings(*(_promise((), "float32", count, programs) for _ in fields(OptimizerSettings))),  # type: ignore[arg-type]
        _promise((len(slots),), "bool", count, programs),
        _promise((2,), "uint32", count, programs),
        programs.promise((num_examples, *made.shape), made.dtype),
        programs.promise((num_examples,), "int32"),
    )
    specs = tuple(slot.spec for slot in slots)
    programs.train_ahead(executor, specs, args, steps=cycle.steps, batch=cycle.batch, clip_norm=config.clip_norm)


def _promise(shape: tuple[int, ...], dtype: str, count: int, programs: Programs) -> jax.ShapeDtypeStruct:
    """Returns what stands for an array of each of ``count`` children."""
    return programs.promise(shape if count == 1 else (count, *shape), dtype, together=count > 1)


def _chunks(
    data: SizedData,
    cycle: Cycle,
    whole: jax.Array | None,
    frozen: Frozen,
    programs: Programs,
    augmentation: Augmentation | None,
    seed: int,
) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Yields what the layers above the frozen part get in one cycle, and the labels, dispatch by dispatch."""
    if whole is not None:
        yield whole, data.whole(programs)[1]
        return
    read = data.train.shuffled(cycle.examples, chunk=cycle.steps * cycle.batch, seed=seed)
    for place in range(cycle.chunks):
        with programs.meter.timing("wait"):
            examples = next(read)
        images = programs.put(examples.images)
        if augmentation is not None:
            words = programs.put(seed_words(derive_seed(seed, "augment", place)))
            images = programs.run("augment", augment_by, images, augmentation, words)
        yield through(frozen, images, programs), programs.put(examples.labels)


def augment_by(images: jax.Array, augmentation: Augmentation, seeds: jax.Array) -> jax.Array:
    """Returns augmented images; ``seeds`` are key data uint32 [2]."""
    return augment(images, augmentation, jax.random.wrap_key_data(seeds, impl="threefry2x32"))


def _validate(
    data: SizedData, specs: tuple[LayerSpec, ...], row: Row, frozen: Frozen, programs: Programs, *, together: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns float64 [K] qualities, and bool [K] whether all outputs are finite."""
    counts = []
    for held in data.held(frozen, programs):
        logits = programs.activations(specs, row, held.inputs, together=together)
        counts.append(programs.count(logits, held.labels, held.known, together=together))
    right = np.sum([np.asarray(count) for count, _ in counts], axis=0).reshape(-1)
    finite = np.all([np.asarray(whether) for _, whether in counts], axis=0).reshape(-1)
    return right / data.num_validation, finite


def _note(child: _Child, quality: float | None, state: Any, index: int | None) -> None:
    """Takes in the quality that a cycle reached, None if it diverged; copies the parameters if they are to be kept."""
    child.finite = child.finite and quality is not None
    if quality is None or not child.finite:
        return
    child.curve.append(quality)
    best = child.best_cycle
    if child.job.worth_keeping(child.curve[-1]) and (best is None or child.curve[-1] >= child.curve[best]):
        child.best_cycle = len(child.curve) - 1
        child.kept = tuple(tuple(_to_host(layer, index) for layer in row) for row in state[:2])  # type: ignore[assignment]


def _to_host(layer: Mapping[str, jax.Array], index: int | None) -> Arrays:
    whole = {name: np.asarray(array) for name, array in layer.items()}
    return {name: np.array(array if index is None else array[index]) for name, array in whole.items()}


def _trained(child: _Child, cycle: Cycle) -> Trained:
    done = 0 if child.best_cycle is None else child.best_cycle + 1
    return Trained(
        curve=tuple(child.curve),
        best_cycle=child.best_cycle if child.finite else None,
        params=child.kept[0],
        momentum=child.kept[1],
        steps=done * cycle.total_steps,
        examples=done * cycle.examples,
        finite=child.finite,
    )


def _placed(trees: Sequence[Any], programs: Programs) -> Any:
    """Returns one tree on the devices: of a single child as it is, of several with a first axis of children."""
    if len(trees) == 1:
        return jax.tree.map(lambda leaf: programs.put(np.array(leaf)), trees[0])
    return jax.tree.map(lambda *leaves: programs.put(np.stack(leaves), together=True), *trees)


def _zero(count: int, programs: Programs) -> jax.Array:
    return programs.put(np.zeros(count if count > 1 else (), np.int32), together=count > 1)


def _moved(words: np.ndarray, place: int) -> np.ndarray:
    return words if place == 0 else words ^ np.array([0, place], np.uint32)
