"""Where a child's examples come from: cycles, batches, what frozen layers make of them, streams."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mu2net_core.engine.child import Trainer
from mu2net_core.engine.cycle import Cycle, cycle_of, seed_words
from mu2net_core.engine.feeding import TaskData
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.nn import InputSpec
from mu2net_core.objectives import Classify
from mu2net_core.objects import Component
from mu2net_core.presets import TrainingConfig
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench

TAKEN = InputSpec.image(2)


@pytest.mark.parametrize(
    ("config", "steps", "batch"),
    [
        ({"batch_size": 16}, 3, 16),
        ({"batch_size": 17}, 3, 17),
        ({"batch_size": 20}, 3, 20),
        ({"batch_size": 47}, 2, 47),
        ({"batch_size": 48}, 1, 48),
        ({"batch_size": 500}, 2, 31),
        ({"batch_size": 16, "samples_cap": 20}, 2, 16),
        ({"batch_size": 16, "samples_cap": 1}, 1, 1),
    ],
)
def test_a_cycle_is_an_epoch_or_the_cap_in_batches_of_one_size(
    bench: Workbench, plan_of, scripted, config, steps: int, batch: int, train
) -> None:
    programs = scripted((1, 20))
    train(bench, plan_of(bench.root()), programs=programs, **config)
    assert {(int(call["chunk"].steps), call["own"].order.shape[1]) for call in programs.calls} == {(steps, batch)}
    assert float(programs.calls[0]["own"].settings.total_steps) == 2 * steps


@pytest.mark.parametrize(
    ("sizes", "cycle"),
    [
        ({}, Cycle(steps=10, batch=100)),
        ({"parts": 3}, Cycle(steps=11, batch=99)),
    ],
)
def test_a_batch_is_spread_evenly_over_the_devices(sizes, cycle: Cycle) -> None:
    assert cycle_of(1000, TrainingConfig(batch_size=100), **sizes) == cycle


@given(st.integers(1, 5000), st.integers(1, 600), st.integers(1, 9))
def test_a_cycle_is_an_epoch_rounded_up_to_batches_whose_size_no_other_number_of_examples_changes(
    num_examples: int, batch_size: int, parts: int
) -> None:
    config = TrainingConfig(batch_size=batch_size)
    if num_examples < parts:
        with pytest.raises(InvalidInputError, match="cannot be spread over"):
            cycle_of(num_examples, config, parts=parts)
        return
    cycle = cycle_of(num_examples, config, parts=parts)
    assert cycle.batch % parts == 0 < cycle.batch <= max(batch_size, parts)
    assert 0 <= cycle.examples - num_examples < cycle.batch
    if num_examples >= batch_size >= parts:
        assert cycle.batch == batch_size // parts * parts


@pytest.mark.parametrize(
    ("num_examples", "config", "steps", "batch"),
    [
        (50_000, {"batch_size": 512, "min_steps": 16}, 98, 512),
        (4_000, {"batch_size": 512, "min_steps": 16}, 16, 256),
        (428, {"batch_size": 512, "min_steps": 16}, 16, 32),
        (428, {"batch_size": 32, "min_steps": 40}, 40, 32),
        (428, {"batch_size": 16, "min_steps": 16}, 27, 16),
        (72, {"batch_size": 512, "min_steps": 16}, 16, 32),
        (20, {"batch_size": 32, "min_steps": 16}, 16, 16),
        (5, {"batch_size": 32, "min_steps": 16}, 16, 4),
        (7, {"batch_size": 7}, 1, 7),
        (50_000, {"batch_size": 32, "min_steps": 16, "samples_cap": 64}, 16, 32),
        (1_000, {"batch_size": 32, "min_steps": 16, "epochs": 3}, 94, 32),
        (1_000, {"batch_size": 32, "min_steps": 16, "epochs": 3, "samples_cap": 2_000}, 63, 32),
        (100, {"batch_size": 128, "min_steps": 6, "epochs": 3}, 10, 32),
        (100, {"batch_size": 128, "epochs": 3}, 5, 64),
        (100, {"batch_size": 128, "min_steps": 40, "epochs": 3}, 40, 32),
    ],
)
def test_a_cycle_has_a_least_number_of_steps_by_smaller_batches_first_and_then_by_more_epochs(
    num_examples: int, config: dict[str, int], steps: int, batch: int
) -> None:
    assert cycle_of(num_examples, TrainingConfig(**config)) == Cycle(steps=steps, batch=batch)


def shown(programs) -> list[bytes]:
    """Returns the examples of a cycle, step by step."""
    calls = [(call["chunk"], np.asarray(call["own"].order)) for call in programs.calls]
    return [
        np.asarray(chunk.inputs)[number].tobytes()
        for chunk, order in calls
        for number in order[: int(chunk.steps)].reshape(-1)
    ]


@pytest.mark.parametrize("clones", [(), ("embedding", "block_0", "norm")], ids=["kept outputs", "images"])
@pytest.mark.parametrize("resident_bytes", [2**20, 0], ids=["on the device", "streamed"])
def test_a_cycle_of_several_epochs_shows_every_example_as_often_each_time_in_another_order(
    bench: Workbench, plan_of, scripted, clones: tuple[str, ...], resident_bytes: int, train_one
) -> None:
    programs, data = scripted((1, 20)), bench.data(resident_bytes=resident_bytes)
    sizes = {"validations": 1, "batch_size": 16, "min_steps": 9}
    train_one(bench, plan_of(bench.root(), clones), programs=programs, data=data, **sizes)
    seen = shown(programs)
    assert len(seen) == 9 * 16 == 3 * 48
    if clones and resident_bytes:
        epochs = [seen[begin : begin + 48] for begin in (0, 48, 96)]
        assert {tuple(sorted(epoch)) for epoch in epochs} == {tuple(sorted(epochs[0]))}
        assert len(set(epochs[0])) == 48
        assert len({tuple(epoch) for epoch in epochs}) == 3
    elif clones:  # in chunks each of which is in another order
        assert set(Counter(seen).values()) == {3}


def test_examples_that_fit_a_dispatch_go_to_the_device_once_for_all_children(
    bench: Workbench, plan_of, scripted, train_one
) -> None:
    programs, data = scripted((1, 20)), bench.data()
    plan = plan_of(bench.root(), ("embedding", "block_0", "norm"))
    for _ in range(2):
        train_one(bench, plan, programs=programs, data=data, validations=2)
    assert len({id(call["chunk"].inputs) for call in programs.calls}) == 1
    assert len(programs.calls) == 4


def test_more_steps_of_the_same_batch_need_no_other_program(bench: Workbench, plan_of, train_one) -> None:
    told: list[str] = []
    programs = Programs(family=DenseFamily(), on_compile=lambda what, _wall_s: told.append(what))
    for min_steps in (1, 9, 20):
        train_one(bench, plan_of(bench.root()), programs=programs, min_steps=min_steps)
    assert sum(what.startswith("train") for what in told) == 1


def test_a_cycle_shows_every_example_and_fills_its_last_batch_with_other_ones(bench: Workbench, plan_of, train) -> None:
    programs, whole = Watched(family=DenseFamily()), bench.data().load("train", TAKEN).examples
    train(bench, plan_of(bench.root(), ("embedding",)), programs=programs, batch_size=20, validations=1)
    (images,), (order,), steps = programs.seen, programs.orders, 3
    used = Counter(images[number].tobytes() for number in order[:steps].reshape(-1))
    assert set(used) == {image.tobytes() for image in whole.inputs}
    assert sorted(used.values()) == [1] * 36 + [2] * 12


def test_frozen_layers_run_once_for_all_children_and_training_never_runs_them(bench: Workbench, plan_of, train) -> None:
    family = DenseFamily()
    programs, data = Programs(family=family), bench.data()
    train(bench, plan_of(bench.root(), seed=1), programs=programs, data=data)
    known = {id(array) for _, (array, _) in data._kept.items()}
    before = list(family.applied)
    train(bench, plan_of(bench.root(), seed=2), programs=programs, data=data)
    assert {id(array) for _, (array, _) in data._kept.items()} == known
    assert family.applied == before  # nothing new was even traced
    assert ("norm", "head") in before
    assert not any("dense" in kinds and "head" in kinds for kinds in before)


def test_frozen_layers_are_not_even_loaded_once_their_work_is_known(bench: Workbench, plan_of, train_one) -> None:
    plan, data = plan_of(bench.root()), bench.data()
    first = train_one(bench, plan, data=data)
    loaded: list[str] = []

    def load(oid: str) -> Component:
        loaded.append(bench.components[oid].name)
        return bench.components[oid]

    again = train_one(bench, plan, data=data, pool=ComponentPool(load))
    assert loaded == ["norm"]
    assert again.curve == first.curve
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), again.params, first.params))


@pytest.mark.parametrize("cap", [20, 30, 99])
def test_no_more_validation_examples_are_looked_at_than_the_cap_and_always_the_first(
    bench: Workbench, plan_of, blueprint_of, cap: int
) -> None:
    data, programs = replace(bench.data(), validation_cap=cap), bench.programs
    frozen = trainer_of(bench, data).frozen_part(blueprint_of(plan_of(bench.root())))
    labels = np.concatenate([held.labels for held in data.at(TAKEN).held(frozen, programs)])
    every = np.concatenate([one.labels for one in data.at(TAKEN).validation.in_order(chunk=30)])
    assert labels.tolist() == every[:cap].tolist()


@pytest.mark.parametrize(("spare", "is_kept"), [(0, True), (-1, False)])
@pytest.mark.parametrize(("what", "count"), [("made", 48), ("whole", 64), ("held", 30)])
def test_what_frozen_layers_make_is_kept_where_it_has_room(
    bench: Workbench, plan_of, blueprint_of, what: str, count: int, spare: int, is_kept: bool
) -> None:
    width, four_bytes = 4, 4
    data, programs = bench.data(kept_bytes=count * width * four_bytes + spare), bench.programs
    frozen, sized = trainer_of(bench, data).frozen_part(blueprint_of(plan_of(bench.root()))), data.at(TAKEN)
    if what == "held":
        first, again = ([held.inputs for held in sized.held(frozen, programs)] for _ in range(2))
        assert all((one is other) == is_kept for one, other in zip(first, again, strict=True))
    else:
        room = () if what == "made" else (count,)
        assert (getattr(sized, what)(frozen, programs, *room) is not None) == is_kept


def trainer_of(bench: Workbench, data: TaskData) -> Trainer:
    """Returns what trains on ``data``."""
    return Trainer(
        data=data.at(TAKEN),
        pool=bench.workshop().pool,
        programs=bench.programs,
        config=BENCH_PRESET.training,
        objective=Classify(),
    )


def shifted(bench: Workbench, root, shift: float):
    """Returns ``root`` with a bias added to its embedding."""
    embedding = bench.components[root.model.components[0].id]
    params = {**embedding.params, "bias": embedding.params["bias"] + np.float32(shift)}
    oid, _ = bench.store(Component(name="embedding", config=embedding.config, params=params))
    refs = (replace(root.model.components[0], id=oid), *root.model.components[1:])
    return replace(root, model=replace(root.model, components=refs))


def test_many_frozen_parts_are_not_all_kept_but_stay_right(bench: Workbench, plan_of, blueprint_of) -> None:
    room = (48 + 30) * 4 * 4 * 3  # for three parts' outputs of train and validation
    data, programs = bench.data(kept_bytes=room), bench.programs
    first, last = None, None
    for shift in (0, 1, 2, 3, 4, 5, 0):
        blueprint = blueprint_of(plan_of(shifted(bench, bench.root(), shift)))
        sized, frozen = data.at(TAKEN), trainer_of(bench, data).frozen_part(blueprint)
        last = sized.made(frozen, programs).examples.inputs
        first = last if first is None else first
        x = np.asarray(sized.train.examples.inputs, np.float32) / 127.5 - 1
        plain = programs.family.apply(frozen.specs, frozen.row(), x)
        np.testing.assert_allclose(last, plain, rtol=1e-5, atol=1e-5)
        assert sum(size for _, size in data._kept.values()) <= room
    assert bool((first == last).all())


@pytest.mark.parametrize("clones", [("embedding",), ("block_0",), ()], ids=str)
def test_examples_that_do_not_fit_are_streamed_to_the_same_kind_of_result(
    bench: Workbench, plan_of, clones, train_one
) -> None:
    plan = plan_of(bench.root(), clones=clones)
    resident, streamed, again, other = (
        train_one(bench, plan, data=data, seed=seed, validations=6)
        for data, seed in (
            (bench.data(), 3),
            (bench.data(resident_bytes=0, kept_bytes=0), 3),
            (bench.data(resident_bytes=0, kept_bytes=0), 3),
            (bench.data(resident_bytes=0, kept_bytes=0), 4),
        )
    )
    assert streamed.curve == again.curve
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), streamed.params, again.params))
    assert not jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), streamed.params, other.params))
    assert max(streamed.curve) >= max(resident.curve) - 0.1 > 0.4
    assert (streamed.steps > 0, streamed.examples) == (True, streamed.steps * 16)


@dataclass(slots=True)
class Watched(Programs):
    """Programs that keep what they train on."""

    seen: list[np.ndarray] = field(default_factory=list)
    orders: list[np.ndarray] = field(default_factory=list)

    def train(self, shape, state, own, chunk, *, objective):  # type: ignore[override]
        self.seen.append(np.array(chunk.inputs))
        self.orders.append(np.array(own.order))
        return Programs.train(self, shape, state, own, chunk, objective=objective)


def test_preprocessing_is_drawn_anew_for_every_cycle_and_shared_by_the_children_of_a_generation(
    bench: Workbench, plan_of, train
) -> None:
    seen: list[list[np.ndarray]] = []
    for seed, child_seed in ((3, 1), (3, 2), (4, 1)):
        plan = plan_of(bench.root(), ("embedding",), seed=child_seed, brightness=0.2, flip_left_right=True)
        programs = Watched(family=DenseFamily())
        train(bench, plan, programs=programs, seed=seed, validations=2)
        seen.append(programs.seen)
    first, sibling, another = seen
    assert all((a == b).all() for a, b in zip(first, sibling, strict=True))
    assert not (first[0] == another[0]).all()
    assert not (np.sort(first[0], axis=0) == np.sort(first[1], axis=0)).all()
    assert first[0].dtype == np.uint8
    assert first[0].shape == (8 * 16, 2, 2, 3)  # room for eight steps, of which these examples fill three
    assert not first[0][48:].any()


def test_keys_use_every_bit_of_a_seed() -> None:
    seeds = [0, 1, 2**31, 2**32, 2**32 + 1, 2**62]
    assert len({seed_words(seed).tobytes() for seed in seeds}) == len(seeds)


def test_a_split_that_another_thread_reads_is_waited_for_and_one_that_cannot_be_read_is_tried_again(
    bench: Workbench,
) -> None:
    feed, asked, go_on = bench.data().load("train", TAKEN), list[str](), Event()

    def load(split: str, _input_spec: InputSpec):
        asked.append(split)
        assert go_on.wait(60)
        if len(asked) == 1:
            raise DataError("gone")
        return feed

    sized = replace(bench.data(), load=load).at(TAKEN)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(lambda: sized.train) for _ in range(2)]
        go_on.set()
        errors = [one.exception() for one in both]
    assert "gone" in {str(error) for error in errors}
    assert all(error or one.result() is feed for error, one in zip(errors, both, strict=True))
    assert sized.train is feed
    assert set(asked) == {"train"}
    assert len(asked) == 2


@pytest.mark.parametrize(("room", "read"), [(10**4, [2, 4]), (48 * 48 + 500, [2, 4, 2])], ids=["both fit", "not both"])
def test_examples_of_several_sizes_are_kept_as_far_as_there_is_room(
    bench: Workbench, room: int, read: list[int]
) -> None:
    asked: list[tuple[str, int]] = []
    feed = bench.data().load("train", TAKEN)

    def load(split: str, input_spec: InputSpec):
        asked.append((split, input_spec.shape[0]))
        return feed

    data = replace(bench.data(), load=load, resident_bytes=room)
    for size in (2, 2, 4, 2):
        assert data.at(InputSpec.image(size)).train is feed
        assert data.at(InputSpec.image(size)).validation is feed
    assert [side for split, side in asked if split == "train"] == read
