"""What the dispatches of a cycle hold: how many examples, in which orders, each changed by numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.data import Change, Examples, Resident
from mu2net_core.engine.cycle import Supply, cycle_of, schedule_of
from mu2net_core.engine.feeding import Frozen, TaskData
from mu2net_core.nn import InputSpec
from mu2net_core.presets import TrainingConfig
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench

TAKEN = InputSpec.image(2)


def _marked(images: jax.Array, _settings: Any, words: jax.Array) -> jax.Array:
    """Returns images in whose last pixel is what they were changed by."""
    mixed = words[0] ^ words[1]
    return images.at[:, 1, 1].set(jnp.stack([mixed, mixed >> 8, mixed >> 16]).astype(images.dtype))


MARKS = Change(apply=_marked, settings=())


@dataclass
class Numbered:
    """A split whose examples say in their first value which they are, unless they are all alike.

    It remembers the seeds of the orders it gave.
    """

    count: int
    alike: bool = False
    seeds: list[int] = field(default_factory=list)

    @property
    def num_examples(self) -> int:
        return self.count

    def _all(self) -> Resident:
        images = np.zeros((self.count, 2, 2, 3), np.uint8)
        images[:, 0, 0, 0] = 0 if self.alike else np.arange(self.count)
        return Resident(Examples(inputs=images, labels=np.arange(self.count, dtype=np.int32) % 3))

    def shuffled(self, count: int, *, chunk: int, seed: int) -> Iterator[Examples]:
        self.seeds.append(seed)
        return self._all().shuffled(count, chunk=chunk, seed=seed)

    def in_order(self, *, chunk: int, limit: int | None = None) -> Iterator[Examples]:
        return self._all().in_order(chunk=chunk, limit=limit)


def supply_of(
    bench: Workbench,
    feed: Numbered,
    *,
    change: Change | None = None,
    evaluated: int = 64,
    num_frozen: int = 0,
    resident_bytes: int = 0,
    **config: int,
) -> Supply:
    """Returns the supply of a dense model on numbered examples, whose first ``num_frozen`` layers are frozen."""
    family, root = bench.programs.family, bench.root()
    specs = family.layers(BENCH_PRESET.architecture.config, root.model.hyperparameters, 3)
    params = [bench.components[ref.id].params for ref in root.model.components[:num_frozen]]
    data = TaskData(
        load=lambda _split, _input_spec: feed,
        num_examples={"train": feed.count, "validation": feed.count},
        output=bench.task().output,
        validation_cap=100,
        resident_bytes=resident_bytes,
        kept_bytes=2**20,
    )
    frozen = Frozen(
        ids=tuple(ref.id for ref in root.model.components[:num_frozen]),
        specs=specs[:num_frozen],
        above=specs[num_frozen:],
        row=lambda: tuple({name: jnp.asarray(array) for name, array in layer.items()} for layer in params),
        batch=evaluated,
    )
    training = TrainingConfig(**config)
    return Supply(data=data.at(TAKEN), frozen=frozen, programs=bench.programs, config=training, change=change)


def shown(supply: Supply, seed: int) -> list[np.ndarray]:
    """Returns the inputs of each dispatch, without padding."""
    given = list(supply.dispatches(seed, variant=0))
    assert sum(one.steps for one in given) == supply.cycle.steps
    return [np.asarray(one.chunk.inputs)[: one.num_examples] for one in given]


@pytest.mark.parametrize(
    ("count", "config"),
    [
        (40, {"batch_size": 8}),
        (40, {"batch_size": 16, "min_steps": 4}),
        (40, {"batch_size": 8, "min_steps": 6}),
        (3, {"batch_size": 1, "min_steps": 9}),
        (200, {"batch_size": 32, "min_steps": 20, "samples_cap": 64}),
    ],
    ids=["an epoch", "an epoch and a half", "one batch more", "one example more than a dispatch has", "of a cap"],
)
def test_a_cycle_has_the_steps_it_says_and_shows_each_example_as_often_as_any_other(
    bench: Workbench, count: int, config: dict[str, int]
) -> None:
    supply = supply_of(bench, Numbered(count), **config)
    numbers = np.concatenate(shown(supply, 5))[:, 0, 0, 0]
    assert len(numbers) == supply.cycle.examples
    per_epoch = min(count, supply.cycle.examples)
    whole = len(numbers) // per_epoch * per_epoch
    for begin in range(0, whole, per_epoch):
        assert len(set(numbers[begin : begin + per_epoch])) == per_epoch


def test_every_epoch_of_every_cycle_has_an_order_of_its_own(bench: Workbench) -> None:
    feed = Numbered(16)
    supply = supply_of(bench, feed, batch_size=16, min_steps=4)
    orders = [tuple(part[:, 0, 0, 0]) for seed in (5, 6) for part in np.split(np.concatenate(shown(supply, seed)), 4)]
    assert len(set(orders)) == 8
    assert len(set(feed.seeds)) == len(feed.seeds) >= 8
    assert 5 in feed.seeds


@pytest.mark.parametrize("num_frozen", [0, 1], ids=["images", "what a frozen layer makes of them"])
def test_what_is_looked_at_together_is_changed_by_numbers_of_its_own(bench: Workbench, num_frozen: int) -> None:
    sizes = {"batch_size": 16, "min_steps": 20, "resident_bytes": 2**20}
    supply = supply_of(bench, Numbered(40, alike=True), change=MARKS, evaluated=16, num_frozen=num_frozen, **sizes)
    given = [inputs for seed in (5, 6) for inputs in shown(supply, seed)]
    parts = [inputs[begin : begin + 16] for inputs in given for begin in range(0, len(inputs), 16)]
    assert len(parts) == 2 * 20
    assert all((part == part[0]).all() for part in parts)
    assert len({part[0].tobytes() for part in parts}) == len(parts)


def test_what_is_changed_are_the_examples_of_the_cycle(bench: Workbench) -> None:
    plain, changed = (
        supply_of(bench, Numbered(40), change=change, evaluated=16, batch_size=8, min_steps=10)
        for change in (None, MARKS)
    )
    assert np.array_equal(*(np.concatenate(shown(one, 5))[:, 0] for one in (plain, changed)))


def test_a_frozen_layer_makes_the_same_of_examples_that_nothing_changes(bench: Workbench) -> None:
    plain, marked = (
        [{example.tobytes() for example in np.concatenate(shown(supply, seed))} for seed in (5, 6)]
        for supply in (
            supply_of(bench, Numbered(16), num_frozen=1, batch_size=16, change=change) for change in (None, MARKS)
        )
    )
    assert plain[0] == plain[1]
    assert not plain[0] & marked[0]
    assert not marked[0] & marked[1]


@pytest.mark.parametrize(
    ("num_examples", "parts", "config", "steps", "batch"),
    [
        (60, 4, {"batch_size": 100}, 2, 48),
        (428, 2, {"batch_size": 512, "min_steps": 16}, 16, 32),
        (1000, 2, {"batch_size": 512, "min_steps": 16}, 16, 64),
    ],
)
def test_a_batch_that_is_spread_over_devices_counts_as_one(
    num_examples: int, parts: int, config: dict[str, int], steps: int, batch: int
) -> None:
    cycle = cycle_of(num_examples, TrainingConfig(**config), parts=parts)
    assert (cycle.steps, cycle.batch) == (steps, batch)
    schedule = schedule_of(num_examples, TrainingConfig(validations=3, **config), parts=parts)
    assert (schedule.examples, schedule.batch, schedule.steps, schedule.cycles) == (num_examples, batch, steps, 3)
