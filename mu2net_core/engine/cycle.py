"""Training cycles: how many gradient steps on how many examples, and the examples on their way to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from itertools import count as numbers_from

import jax
import numpy as np

from mu2net_core.data import Change, modality_of
from mu2net_core.engine.feeding import Frozen, Held, SizedData, extended, through
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.training import Chunk
from mu2net_core.errors import InvalidInputError
from mu2net_core.events import Schedule
from mu2net_core.objects import Hyperparameter
from mu2net_core.presets import TrainingConfig
from mu2net_core.seeds import derive_seed

__all__ = ["Cycle", "Dispatch", "Supply", "cycle_of", "order_of", "schedule_of", "seed_words"]

_CHUNK_BYTES = 2**25
"""Of what the layers above the boundary get in a dispatch, at most, unless a single batch takes more."""

_MOST_STEPS = 8
"""Of a dispatch: enough that what it costs to begin one does not show, few enough that small tasks do not wait."""

_SMALL_BATCH = 32
"""Examples of a batch, down to which batches are halved for more steps."""

_Pairs = tuple[np.ndarray, np.ndarray]
"""What layers get of some examples, [M, ...], and their labels [M, ...]; on the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What one training cycle consists of: ``steps`` gradient steps on ``batch`` examples."""

    steps: int
    batch: int

    @property
    def examples(self) -> int:
        """Examples seen in the cycle."""
        return self.steps * self.batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """What the children of one dispatch share.

    Attributes:
        chunk: as their program gets it.
        num_examples: that are in it, padding apart: batches are drawn from these.
        steps: to do.
        number: of the chunk in its cycle.
        done: steps that the cycle did with this chunk before.
    """

    chunk: Chunk
    num_examples: int
    steps: int
    number: int
    done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Where children that share a frozen part, their input and its preprocessing get their examples from.

    Attributes:
        data: of the task, as they take it.
        frozen: the part below their gradient boundary.
        programs: compiled.
        config: of the training.
        change: how training examples are changed at random; None if they are not.
    """

    data: SizedData
    frozen: Frozen
    programs: Programs
    config: TrainingConfig
    change: Change | None

    @classmethod
    def of(
        cls,
        hyperparameters: Mapping[str, Hyperparameter],
        data: SizedData,
        frozen: Frozen,
        programs: Programs,
        config: TrainingConfig,
    ) -> Supply:
        """Returns the supply for children with these ``hyperparameters``; reads no example yet."""
        change = modality_of(data.input_spec.kind).change(hyperparameters)
        return cls(data=data, frozen=frozen, programs=programs, config=config, change=change)

    @property
    def cycle(self) -> Cycle:
        """What a cycle consists of."""
        parts = self.programs.layout.batch_parts
        return cycle_of(self.data.num_train, self.config, parts=parts)

    @property
    def most_steps(self) -> int:
        """How many steps a dispatch has room for, whatever the number of examples."""
        made = self._made
        batch_bytes = self.cycle.batch * int(np.prod(made.shape)) * made.dtype.itemsize
        return int(min(max(_CHUNK_BYTES // batch_bytes, 1), _MOST_STEPS))

    def promise(self) -> Chunk:
        """Returns what stands for the chunk of a dispatch, for compiling ahead."""
        made, output = self._made, self.data.task.output
        count, promise = self.most_steps * self.cycle.batch, self.programs.placement.promise
        return Chunk(
            inputs=promise((count, *made.shape), made.dtype),  # type: ignore[arg-type]
            labels=promise((count, *output.label_shape), np.dtype(output.label_dtype)),  # type: ignore[arg-type]
            steps=promise((), np.dtype(np.int32)),  # type: ignore[arg-type]
            variant=promise((), np.dtype(np.int32)),  # type: ignore[arg-type]
            clip_norm=promise((), np.dtype(np.float32)),  # type: ignore[arg-type]
        )

    def dispatches(self, seed: int, *, variant: int) -> Iterator[Dispatch]:
        """Yields what the children get in the dispatches of one cycle, one after the other.

        Where all examples fit in one, they stay on the device; then only their order differs.
        """
        batch, room, put = self.cycle.batch, self.most_steps * self.cycle.batch, self.programs.placement.put
        whole = None if self.change else self.data.whole(self.frozen, self.programs, room)

        def chunk_of(inputs: jax.Array, labels: jax.Array, steps: int) -> Chunk:
            settled = (put(np.int32(steps)), put(np.int32(variant)), put(np.float32(self.config.clip_norm)))
            return Chunk(inputs, labels, *settled)

        if whole is not None:
            count = self.data.num_train
            for done in range(0, self.cycle.steps, self.most_steps):
                steps = min(self.most_steps, self.cycle.steps - done)
                yield Dispatch(chunk=chunk_of(*whole, steps), num_examples=count, steps=steps, number=0, done=done)
            return
        for number, (inputs, labels) in enumerate(self._read(seed, room)):
            steps = len(labels) // batch
            chunk = chunk_of(put(extended(inputs, room)), put(extended(labels, room)), steps)
            yield Dispatch(chunk=chunk, num_examples=len(labels), steps=steps, number=number)

    def held(self) -> Iterator[Held]:
        """Yields the validation examples as the layers above the frozen part get them."""
        return self.data.held(self.frozen, self.programs)

    def promise_held(self) -> jax.ShapeDtypeStruct:
        """Returns what stands for inputs of ``held``, for compiling ahead."""
        made = self._made
        return self.programs.placement.promise((self.frozen.batch, *made.shape), made.dtype)

    def _read(self, seed: int, room: int) -> Iterator[_Pairs]:
        """Yields inputs and labels of whole batches, ``room`` examples at a time."""
        made = None if self.change else self.data.made(self.frozen, self.programs)
        feed, count = made or self.data.train, min(self.cycle.examples, self.data.num_train)

        def epoch(seed: int) -> Iterator[_Pairs]:
            for examples in feed.shuffled(count, chunk=room, seed=seed):
                yield examples.inputs, examples.labels

        is_more = self.cycle.examples - count >= self.cycle.batch
        read = _epochs(epoch, self.cycle.examples, room, seed) if is_more else epoch(seed)
        first: _Pairs | None = None
        for place in range(-(-self.cycle.examples // room)):
            with self.programs.meter.timing("wait"):
                pairs = next(read)
            first = first or pairs
            inputs, labels = _filled(pairs, first, self.cycle.batch)
            if made is None:
                inputs = self._prepared(inputs, derive_seed(seed, "augment", place))
            yield inputs, labels

    def _prepared(self, inputs: np.ndarray, seed: int) -> np.ndarray:
        """Returns what the layers above get of inputs [M, ...], of which E at a time are changed and looked at."""
        if self.change is None and not self.frozen.ids:
            return inputs
        size, programs, parts = self.frozen.batch, self.programs, []
        for begin in range(0, len(inputs), size):
            part = programs.placement.put(extended(inputs[begin : begin + size], size))
            if self.change is not None:
                words = programs.placement.put(seed_words(derive_seed(seed, begin)))
                part = programs.run("augment", self.change.apply, part, self.change.settings, words)
            parts.append(through(self.frozen, part, programs))
        return np.concatenate([np.asarray(part) for part in parts])[: len(inputs)]

    @property
    def _made(self) -> jax.ShapeDtypeStruct:
        return self.programs.output(self.frozen.specs, self.frozen.above, self.data.input_spec)


def _epochs(epoch: Callable[[int], Iterator[_Pairs]], count: int, room: int, seed: int) -> Iterator[_Pairs]:
    """Yields ``count`` examples, ``room`` at a time: all of them, then all in another order, and so on."""
    seeds = chain([seed], (derive_seed(seed, "epoch", number) for number in numbers_from(1)))
    parts = chain.from_iterable(map(epoch, seeds))
    inputs, labels = next(parts)
    while count > 0:
        wanted = min(room, count)
        while len(labels) < wanted:
            more = next(parts)
            inputs, labels = np.concatenate([inputs, more[0]]), np.concatenate([labels, more[1]])
        yield inputs[:wanted], labels[:wanted]
        inputs, labels, count = inputs[wanted:], labels[wanted:], count - wanted


def _filled(pairs: _Pairs, first: _Pairs, batch: int) -> _Pairs:
    """Returns whole batches: the last one is filled with the ``first`` examples of the cycle."""
    missing = -len(pairs[1]) % batch
    if not missing:
        return pairs
    inputs, labels = (np.concatenate([own, begun[:missing]]) for own, begun in zip(pairs, first, strict=True))
    return inputs, labels


def order_of(seed: int, steps: int, batch: int, most_steps: int, *, num_examples: int, done: int = 0) -> np.ndarray:
    """Returns int32 [S, B]: the places in a chunk of each step's examples, drawn from a seed; unused ones are 0.

    No example comes twice before all of the ``num_examples`` came once.

    Args:
        seed: the same for all steps with one chunk.
        steps: B examples each.
        batch: B.
        most_steps: S.
        num_examples: in the chunk.
        done: steps that were drawn before.
    """
    order, rng = np.zeros((most_steps, batch), np.int32), np.random.Generator(np.random.Philox(seed))
    begin, end = done * batch, (done + steps) * batch
    epochs = [rng.permutation(num_examples) for _ in range(-(-end // num_examples))]
    order[:steps] = np.concatenate(epochs)[begin:end].reshape(steps, batch)
    return order


def seed_words(seed: int) -> np.ndarray:
    """Returns all 63 bits of a seed as JAX's key data, uint32 [2]."""
    return np.array([seed >> 32, seed & 0xFFFFFFFF], dtype=np.uint32)


def cycle_of(num_examples: int, config: TrainingConfig, *, parts: int = 1) -> Cycle:
    """Returns a cycle of min(``epochs`` × ``num_examples``, ``samples_cap``) examples, in whole batches.

    It has ``min_steps`` at least. A batch has as many examples as was asked for, whatever the task, so that tasks share
    programs. It is halved until examples fill one, and while that gives steps which are missing and leaves 32: still
    smaller ones cost time and bring nothing. What then is missing is done in further epochs.

    Args:
        num_examples: there are.
        config: batch size and cap.
        parts: the batch is spread over so many devices, a multiple of which it is.

    Raises:
        InvalidInputError: there are fewer examples than parts.
    """
    different = min(num_examples, config.samples_cap)
    per_cycle = min(config.epochs * num_examples, config.samples_cap)
    if different < parts:
        raise InvalidInputError(
            f"A cycle of {different} examples cannot be spread over {parts} devices.",
            hint="Train it on one: mu2net config set machine.strategy sequential",
        )
    batch = max(config.batch_size // parts, 1)
    while batch * parts > different or (
        batch * parts >= 2 * _SMALL_BATCH and -(-per_cycle // (batch * parts)) < config.min_steps
    ):
        batch //= 2
    return Cycle(steps=max(-(-per_cycle // (batch * parts)), config.min_steps), batch=batch * parts)


def schedule_of(num_examples: int, config: TrainingConfig, *, parts: int = 1) -> Schedule:
    """Returns how each child is trained."""
    cycle = cycle_of(num_examples, config, parts=parts)
    return Schedule(examples=num_examples, batch=cycle.batch, steps=cycle.steps, cycles=config.validations)
