from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.data import ExampleStream, ReadAhead, Source, SourceInfo, Stored, describe_task, load_split
from mu2net_core.data.catalogue import SOURCES
from mu2net_core.data.source import Options
from mu2net_core.errors import DataError
from mu2net_core.objects import Classes, Limits, Slice, Task
from mu2net_core.testing.building.plugins import offer

ROOT = Path(__file__).parents[3]
SIZE = (1, 2)
EXAMPLE_BYTES = 1 * 2 * 1 + 4


class Numbers(Source):
    """Images of 1 × 2 pixels that say which number they are; what a plug-in that can only ``read`` looks like."""

    uri = "numbers:all"

    def __init__(self, count: int) -> None:
        self.count = count
        self.fetched: Counter[int] = Counter()
        self.wrong: dict[int, Stored] = {}

    def info(self) -> SourceInfo:
        return SourceInfo(splits={"all": self.count}, output=Classes(names=("even", "odd")))

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        for part in slices:
            for index in range(part.start, part.stop):
                self.fetched[index] += 1
                image = np.array([[index // 256, index % 256]], np.uint8)
                yield self.wrong.get(index, Stored(name=f"all[{index}]", input=image, label=index % 2))


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Numbers:
    source = Numbers(1000)

    def factory(rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> Source:
        return source

    offer(monkeypatch, SOURCES, numbers=factory)
    return source


@pytest.fixture
def task(numbers: Numbers) -> Task:
    described = describe_task(
        "numbers:all", train="all[:300]+all[400:]", validation="all[300:350]", test="all[350:400]"
    )
    numbers.fetched.clear()
    return described.task


def stream(task: Task, split: str = "train", ahead: ReadAhead | None = None, **options: bool) -> ExampleStream:
    return ExampleStream(task, split, shape=(*SIZE, 1), ahead=ahead, **options)


def ids(examples: np.ndarray) -> list[int]:
    return (examples[:, 0, 0, 0].astype(int) * 256 + examples[:, 0, 1, 0]).tolist()


def drawn(task: Task, count: int, *, seed: int = 7, chunk: int = 64, ahead: ReadAhead | None = None) -> list[int]:
    return [i for part in stream(task, ahead=ahead).shuffled(count, chunk=chunk, seed=seed) for i in ids(part.inputs)]


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("grain")]


def assert_reading_ends() -> None:
    """Waits for whoever is at his last block."""
    for thread in reading_threads():
        thread.join(timeout=120)
        assert not thread.is_alive()


TRAIN = [*range(300), *range(400, 1000)]


def test_an_epoch_has_each_example_once_with_its_label(task: Task) -> None:
    parts = list(stream(task).shuffled(900, chunk=64, seed=1))
    assert [len(part) for part in parts] == [64] * 14 + [4]
    found = [i for part in parts for i in ids(part.inputs)]
    assert sorted(found) == TRAIN
    assert found != TRAIN
    assert [label for part in parts for label in part.labels] == [i % 2 for i in found]


def test_the_order_is_the_seed_s_whoever_reads(task: Task) -> None:
    orders = [
        drawn(task, 500, chunk=chunk, ahead=ReadAhead(num_threads=threads, size_bytes=size))
        for threads, size, chunk in [(1, 1, 500), (2, 60 * EXAMPLE_BYTES, 7), (16, 10**6, 64), (5, 10**9, 10**9)]
    ]
    assert orders[1:] == orders[:1] * 3
    assert drawn(task, 100) == orders[0][:100], "fewer are the first of more"
    assert orders[0][:8] == [14, 145, 991, 761, 234, 512, 947, 443], "another grain, other models"


def test_another_process_reads_in_the_same_order_and_loads_grain_for_it() -> None:
    program = """
import json, sys
from mu2net_core.data import ExampleStream, describe_task
stream = ExampleStream(describe_task("sklearn:digits").task, "train", shape=(8, 8, 1))
assert not {"grain", "jax"} & set(sys.modules)
parts = list(stream.shuffled(100, chunk=30, seed=2**40))
print(json.dumps([[int(part.inputs.sum()), part.labels.tolist()] for part in parts]))
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    digits = ExampleStream(describe_task("sklearn:digits").task, "train", shape=(8, 8, 1))
    parts = digits.shuffled(100, chunk=30, seed=2**40)
    assert json.loads(run.stdout) == [[int(part.inputs.sum()), part.labels.tolist()] for part in parts]


def test_other_seeds_give_other_orders_and_other_examples(task: Task) -> None:
    samples = [tuple(drawn(task, 50, seed=seed)) for seed in (0, 1, -1, 2**70)]
    assert len({frozenset(sample) for sample in samples}) == 4


def test_a_part_of_an_epoch_is_a_uniform_sample(task: Task) -> None:
    """Chi-squared over which of 18 neighbourhoods is drawn, and over what follows what."""
    samples = [drawn(task, 90, seed=seed) for seed in range(100)]
    places = np.array([[TRAIN.index(i) for i in sample] for sample in samples])
    counts = np.bincount(places.ravel() // 50, minlength=18)
    assert ((counts - 500) ** 2 / 500).sum() < 41  # 17 degrees of freedom, p = 0.001
    steps = np.bincount(((places[:, 1:] - places[:, :-1]) % 900 // 50).ravel(), minlength=18)
    assert ((steps - 8900 / 18) ** 2 / (8900 / 18)).sum() < 41


def test_in_order_is_what_loading_the_split_gives() -> None:
    digits = describe_task("sklearn:digits").task
    loaded = load_split(digits, "validation", shape=(12, 10, 3))
    parts = list(ExampleStream(digits, "validation", shape=(12, 10, 3)).in_order(chunk=100))
    assert [len(part) for part in parts] == [100, 100, 100, 60]
    assert np.array_equal(np.concatenate([part.inputs for part in parts]), loaded.inputs)
    assert np.array_equal(np.concatenate([part.labels for part in parts]), loaded.labels)


@pytest.mark.parametrize(("limit", "sizes"), [(70, [64, 6]), (64, [64]), (5000, [64] * 14 + [4])])
def test_in_order_up_to_a_limit(task: Task, limit: int, sizes: list[int]) -> None:
    parts = list(stream(task).in_order(chunk=64, limit=limit))
    assert [len(part) for part in parts] == sizes
    assert [i for part in parts for i in ids(part.inputs)] == TRAIN[:limit]


@pytest.mark.parametrize(("threads", "size_bytes"), [(1, 1), (3, 100 * EXAMPLE_BYTES), (8, 30 * EXAMPLE_BYTES)])
def test_no_more_is_read_ahead_than_fits(task: Task, numbers: Numbers, threads: int, size_bytes: int) -> None:
    ahead = ReadAhead(num_threads=threads, size_bytes=size_bytes)
    given = 0
    for part in stream(task, ahead=ahead, verify=False).shuffled(900, chunk=10, seed=1):
        given += len(part)
        assert numbers.fetched.total() - given <= max(size_bytes // EXAMPLE_BYTES, 2)
    assert numbers.fetched == Counter(TRAIN)


@pytest.mark.parametrize("example_bytes", [1, 3076, 150_532, 10**9])
@pytest.mark.parametrize("num_threads", [1, 8, 64])
def test_what_is_read_ahead_is_planned_in_bytes(example_bytes: int, num_threads: int) -> None:
    block, num_blocks = ReadAhead(num_threads=num_threads, size_bytes=10**8).plan(example_bytes)
    assert (num_blocks + 1) * block * example_bytes <= max(10**8, 2 * example_bytes)
    assert num_blocks >= min(num_threads, max(1, 10**8 // example_bytes - 1)), "every thread has work if all fit"


def test_an_iterator_that_is_dropped_reads_no_further(task: Task, numbers: Numbers) -> None:
    assert_reading_ends()
    reading = stream(task, verify=False).shuffled(900, chunk=5, seed=1)
    assert reading_threads() == [], "nothing is read before the first is asked for"
    next(reading)
    assert reading_threads()
    del reading
    assert_reading_ends()


def test_ctrl_c_while_waiting_for_an_example(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    main = threading.get_ident()

    def interrupted(*_: object) -> Iterator[Stored]:
        signal.pthread_kill(main, signal.SIGINT)
        return iter([Stored(name="late", input=np.zeros(SIZE, np.uint8), label=0)])

    reading = stream(task).in_order(chunk=900)
    monkeypatch.setattr(Numbers, "read", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            next(reading)
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    assert_reading_ends()


def test_changed_data_is_told_before_anything_is_given_out(task: Task, numbers: Numbers) -> None:
    numbers.wrong[999] = Stored(name="all[999]", input=np.zeros(SIZE, np.uint8), label=1)
    reader = stream(task)
    for _ in range(2):
        with pytest.raises(DataError, match="changed under the task all"):
            reader.in_order(chunk=8, limit=1)
    with pytest.raises(DataError, match="changed under the task"):
        stream(task).shuffled(1, chunk=1, seed=0)
    assert len(next(stream(task, verify=False).in_order(chunk=8))) == 8
    numbers.count = 900
    with pytest.raises(DataError, match="expected at least 1000 examples in all, found 900"):
        stream(task)


def test_a_split_that_counts_other_examples_than_its_slices_name(task: Task) -> None:
    wrong = replace(task.splits["test"], num_examples=51)
    with pytest.raises(DataError, match="names 50 examples and counts 51"):
        stream(replace(task, splits={**task.splits, "test": wrong}), "test")


def test_the_data_is_checked_once_per_stream(task: Task, numbers: Numbers) -> None:
    reader = stream(task, "test")
    for _ in range(3):
        list(reader.in_order(chunk=50))
    assert set(numbers.fetched.values()) == {4}


def test_a_broken_image_and_a_wrong_label_are_named(task: Task, numbers: Numbers) -> None:
    numbers.wrong[17] = Stored(name="cat/17.png", input=b"\x89PNG", label=1)
    with pytest.raises(DataError, match=r"Cannot read the image cat/17\.png"):
        list(stream(task, verify=False).shuffled(900, chunk=64, seed=0))
    numbers.wrong[17] = Stored(name="all[17]", input=np.zeros(SIZE, np.uint8), label=2)
    with pytest.raises(DataError, match=r"Label out of range: expected 0 to 1, found 2 in all\[17\]"):
        list(stream(task, verify=False).in_order(chunk=64))
    with pytest.raises(DataError, match="Label out of range"):
        stream(task).in_order(chunk=64)
    assert_reading_ends()


def test_what_is_no_request(task: Task) -> None:
    reader = stream(task, verify=False)
    for count, chunk in [(0, 1), (901, 1), (1, 0)]:
        with pytest.raises(ValueError, match="expected 1 to 900 examples"):
            reader.shuffled(count, chunk=chunk, seed=0)
    for ahead in ({"num_threads": 0}, {"size_bytes": 0}):
        with pytest.raises(ValueError, match="at least one thread and one byte"):
            ReadAhead(**ahead)
