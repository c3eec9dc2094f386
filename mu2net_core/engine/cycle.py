"""Training cycles: how many gradient steps on how many examples, and the examples on their way to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax
import numpy as np

from mu2net_core.data import Augmentation, augment, is_identity
from mu2net_core.engine.feeding import Frozen, Held, SizedData, through
from mu2net_core.engine.programs import Programs
from mu2net_core.errors import InvalidInputError
from mu2net_core.events import Schedule
from mu2net_core.objects import Hyperparameter
from mu2net_core.presets import TrainingConfig
from mu2net_core.seeds import derive_seed

__all__ = ["Cycle", "Supply", "cycle_of", "schedule_of", "seed_words"]

_CHUNK_BYTES = 2**25
"""Of examples that are on their way to the device: so many that all children of a generation get the same chunks."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Where children that share a frozen part, their input and its preprocessing get their examples from.

    Attributes:
        data: of the task, as they take it.
        frozen: the part below their gradient boundary.
        programs: compiled.
        cycle: of their training.
        at_once: whether each cycle is one dispatch on all examples, as they lie on the device.
        augmentation: how training images are changed at random; None if they are not.
    """

    data: SizedData
    frozen: Frozen
    programs: Programs
    cycle: Cycle
    at_once: bool
    augmentation: Augmentation | None

    @classmethod
    def plan(
        cls,
        hyperparameters: Mapping[str, Hyperparameter],
        data: SizedData,
        frozen: Frozen,
        programs: Programs,
        config: TrainingConfig,
    ) -> Supply:
        """Returns the supply for children with these ``hyperparameters``; reads no example yet."""
        still = is_identity(hyperparameters)
        at_once = still and data.fits(frozen, programs)
        return cls(
            data=data,
            frozen=frozen,
            programs=programs,
            cycle=cycle_of(
                data.train.num_examples,
                config,
                parts=programs.layout.batch_parts,
                chunk_examples=None if at_once else max(_CHUNK_BYTES // data.input_spec.size_bytes, 1),
            ),
            at_once=at_once,
            augmentation=None if still else Augmentation.of(hyperparameters),
        )

    def promise(self) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
        """Returns what stands for the inputs and labels of a dispatch, for compiling ahead."""
        count = self.data.train.num_examples if self.at_once else self.cycle.steps * self.cycle.batch
        made = self.programs.output(self.frozen.specs, self.frozen.above, self.data.input_spec)
        return self.programs.promise((count, *made.shape), made.dtype), self.programs.promise((count,), "int32")

    def dispatches(self, seed: int) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Yields what the layers above the frozen part get in one cycle, and the labels, dispatch by dispatch."""
        if self.at_once:
            yield self.data.train_above(self.frozen, self.programs), self.data.whole(self.programs)[1]
            return
        chunk = self.cycle.steps * self.cycle.batch
        read = self.data.train.shuffled(self.cycle.examples, chunk=chunk, seed=seed)
        for place in range(self.cycle.chunks):
            with self.programs.meter.timing("wait"):
                examples = next(read)
            images = self._changed(self.programs.put(examples.images), derive_seed(seed, "augment", place))
            yield through(self.frozen, images, self.programs), self.programs.put(examples.labels)

    def held(self) -> Iterator[Held]:
        """Yields the validation examples as the layers above the frozen part get them."""
        return self.data.held(self.frozen, self.programs)

    def _changed(self, images: jax.Array, seed: int) -> jax.Array:
        if self.augmentation is None:
            return images
        words = self.programs.put(seed_words(seed))
        changed: jax.Array = self.programs.run("augment", _augment, images, self.augmentation, words)
        return changed


def seed_words(seed: int) -> np.ndarray:
    """Returns all 63 bits of a seed as JAX's key data, uint32 [2]."""
    return np.array([seed >> 32, seed & 0xFFFFFFFF], dtype=np.uint32)


def cycle_of(num_examples: int, config: TrainingConfig, *, parts: int = 1, chunk_examples: int | None = None) -> Cycle:
    """Returns a cycle of (nearly) min(1 epoch, ``samples_cap``) examples, each used once, in batches of one size.

    Args:
        num_examples: there are.
        config: batch size and cap.
        parts: the batch is spread over so many devices, a multiple of which it is.
        chunk_examples: that should fit into one dispatch; None for any number.

    Raises:
        InvalidInputError: there are fewer examples than parts.
    """
    per_cycle = min(num_examples, config.samples_cap)
    if per_cycle < parts:
        raise InvalidInputError(
            f"A cycle of {per_cycle} examples cannot be spread over {parts} devices.",
            hint="Train it on one: mu2net config set machine.strategy sequential",
        )
    steps = min(-(-per_cycle // config.batch_size), per_cycle // parts)
    room = steps if chunk_examples is None else max(chunk_examples * steps // per_cycle, 1)
    chunks = -(-steps // room)
    in_chunk = min(-(-steps // chunks), per_cycle // parts // chunks)
    return Cycle(chunks=chunks, steps=in_chunk, batch=per_cycle // (chunks * in_chunk) // parts * parts)


def schedule_of(num_examples: int, config: TrainingConfig, *, parts: int = 1) -> Schedule:
    """Returns how each child is trained; where examples are read as they are needed, steps are nearly these."""
    cycle = cycle_of(num_examples, config, parts=parts)
    return Schedule(examples=num_examples, batch=cycle.batch, steps=cycle.total_steps, cycles=config.validations)


def _augment(images: jax.Array, augmentation: Augmentation, seeds: jax.Array) -> jax.Array:
    return augment(images, augmentation, jax.random.wrap_key_data(seeds, impl="threefry2x32"))
