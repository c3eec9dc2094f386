"""Manifests and head entries as an attacker would write them."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import (
    LIMITS,
    AccessRule,
    Agent,
    Architecture,
    Classes,
    Commit,
    ComponentRef,
    Costs,
    HeadEntry,
    Limits,
    Merge,
    Model,
    Origin,
    Run,
    Scorer,
    Snapshot,
    Task,
    Training,
    Trial,
    Trials,
    decode,
    decode_strict,
    encode,
)
from mu2net_core.testing.building.samples import sample_task

OID, OTHER = "1" * 64, "2" * 64
NOW = "2026-01-02T03:04:05.000000+00:00"
_MIB = 2**20

TASK = sample_task("cats", AccessRule.only(["red", "blue"]))
MODEL = Model(
    task="cats",
    task_id=OID,
    root=OID,
    parent=OTHER,
    architecture=Architecture(name="vit", config={"width": 4, "scale": 1e-7}),
    components=(
        ComponentRef(
            id=OID,
            name="head",
            num_params=9,
            size_bytes=99,
            trainable=True,
            operation="clone",
            parent=OTHER,
            training={"cats": Training(steps=1, examples=8)},
        ),
    ),
    hyperparameters={"mu": 0.1, "nesterov": True, "num_layers": 2},
    mutation_rates={"clone:head": 0.2},
    validation_curve=(0.25, 0.5),
    quality=0.5,
    score=0.5,
    scorer=Scorer(),
    costs=Costs(params=9, accounted_params=4.5, flops=100),
    test_quality=0.5,
    seed=7,
    versions={"jax": "0.1"},
)
MERGED = replace(
    MODEL,
    components=(replace(MODEL.components[0], operation="merge"),),
    merges={"head": Merge(component=OID, model=OTHER, weight=0.25)},
)
CROSSED = replace(
    MODEL,
    components=(replace(MODEL.components[0], operation="cross", parent=OID),),
    merges={"head": Merge(component=OID, model=OTHER, weight=1.0)},
)
ROOT = Model(
    architecture=MODEL.architecture,
    components=(replace(MODEL.components[0], training={}),),
    hyperparameters={"mu": 0.1},
    origin=Origin(source="augreg:Ti_16", blake3=OTHER),
)
COMMIT = Commit(
    task="cats",
    task_id=OID,
    model=OTHER,
    parents=(OID,),
    snapshot=OID,
    iteration=3,
    selections={OID: {"agent": 2}},
    agent=Agent(id="a", host="h", device="cpu"),
    started_at=NOW,
    finished_at=NOW,
    message="evolve cats",
)
RUN: dict[str, Any] = {
    "preset": "tiny",
    "settings": {"evolve.children": 2, "scorer.factor": 0.5, "space.mu": [0.1, 0.2]},
    "digest": OID,
    "seed": -7,
    "generations": 3,
    "children": 2,
    "done": 3,
    "processor": "any",
    "cores": 2,
    "seen": [{"generation": 1, "snapshot": OTHER}, {"generation": 2, "snapshot": OID}],
}
REPEATABLE = replace(COMMIT, run=decode(encode(RUN), Run, what="run"))
TRIAL = Trial(
    values={"mu": 0.1, "momentum": 0.5},
    clones=("block", "head"),
    parent=OID,
    outcome="kept",
    score=0.5,
    cost=1e9,
    model=OTHER,
)
DISCARDED = replace(TRIAL, values={"mu": 0.1, "momentum": 0.9}, outcome="score", score=-0.5, model=None)
TRIED = replace(COMMIT, improved=True, trials=Trials.of([TRIAL, DISCARDED], Scorer()))
SNAPSHOT = Snapshot(heads={"cats": OID}, roots={"tiny": OTHER})
ENTRY = HeadEntry(commit=OID, previous=OTHER)
VALUES: list[Any] = [TASK, MODEL, MERGED, COMMIT, REPEATABLE, TRIED, SNAPSHOT, ENTRY]


def decoded(data: bytes, kind: type[Any], limits: Limits = LIMITS) -> Any:
    return decode_strict(data, kind, what="the thing", limits=limits)


def changed(value: Any, change: Callable[[dict[str, Any]], object]) -> bytes:
    table = json.loads(encode(value))
    change(table)
    return encode(table)


@pytest.mark.parametrize("value", [*VALUES, ROOT], ids=lambda value: type(value).__name__)
def test_what_we_write_is_read(value: Any) -> None:
    assert decoded(encode(value), type(value)) == value


@pytest.mark.parametrize("number", [0.1, 1e-05, 1e-07, 0.0001, 1e16, 1e22, 5e-324, 1.7976931348623157e308])
def test_every_number_has_its_one_form(number: float) -> None:
    model = replace(MODEL, hyperparameters={"x": number})
    assert decoded(encode(model), Model) == model
    text = encode(model).replace(repr(number).encode(), f"{number:.20e}".encode())
    with pytest.raises(CorruptObjectError, match="not canonical"):
        decoded(text, Model)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_other_spellings_of_the_same_are_refused(value: Any) -> None:
    data = encode(value)
    first = json.loads(data)
    name = next(iter(first))
    doubled = data[:-1] + b"," + encode({name: first[name]})[1:]
    for other in (b" " + data, data + b"\n", data.replace(b":", b": ", 1), doubled):
        with pytest.raises(CorruptObjectError, match=r"Cannot read the thing: .*(not canonical|malformed|trail)"):
            decoded(other, type(value))


def test_unknown_keys_are_read_over_but_not_how_they_nest() -> None:
    assert decoded(changed(COMMIT, lambda table: table.update(new={"a": [1, {}]})), Commit) == COMMIT
    deep = encode(TASK)[:-1] + b',"zzz":' + b"[" * 100 + b"]" * 100 + b"}"
    with pytest.raises(CorruptObjectError, match="nested more than 64 deep"):
        decoded(deep, Task)
    assert decoded(deep, Task, Limits(json_depth=101)) == replace(TASK, unknown_keys=("zzz",))


@pytest.mark.parametrize("text", [b'"\x80"', b'"\\ud800"', b"1e999", b'"\x00"', b"9" * 5_000])
def test_unknown_keys_are_json_too(text: bytes) -> None:
    with pytest.raises(CorruptObjectError, match="Cannot read the thing"):
        decoded(encode(TASK)[:-1] + b',"zzz":' + text + b"}", Task)


def test_brackets_in_strings_do_not_nest() -> None:
    task = replace(TASK, output=Classes(names=("[" * 200, "}{" * 200 + '"\\' * 100)))
    assert decoded(encode(task), Task) == task


def test_a_limit_of_bytes_is_kept() -> None:
    data = encode(TASK)
    assert decoded(data, Task, Limits(manifest_bytes=len(data))) == TASK
    with pytest.raises(CorruptObjectError, match=r"over the limit of (\d+)(.|\n)*limits.manifest_bytes"):
        decoded(data, Task, Limits(manifest_bytes=len(data) - 1))


@pytest.mark.timeout(60)  # where the work grows faster than the data it takes hours
@pytest.mark.parametrize(
    "data",
    [
        b"[" * (15 * _MIB),
        b'{"a":' * (3 * _MIB),
        b'"' + b'\\"' * (7 * _MIB),
        b'"[' * (7 * _MIB),
        b"[],[]" * (3 * _MIB),
        b'{"heads":{' + b'"a":[],' * (2 * _MIB),
        b"-" * (15 * _MIB),
        b"1" * (15 * _MIB),
        b'{"format":' + b"9" * (15 * _MIB) + b"}",
        b'{"format":1e' + b"9" * (15 * _MIB) + b"}",
        b" " * (15 * _MIB),
        b"\xff" * (15 * _MIB),
    ],
    ids=lambda data: repr(data[:9]),
)
def test_large_nonsense_costs_little_time_and_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptObjectError, match="Cannot read the thing"):
            decoded(data, Snapshot)
        assert tracemalloc.get_traced_memory()[1] < 150 * _MIB
    finally:
        tracemalloc.stop()


def _set(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table.update(values)


def _run(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table.update(run={**RUN, **values})


def _trial(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table["trials"]["each"][0].update(values)


def _merge(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table["merges"]["head"].update(values)


def _ref(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda table: table["components"][0].update(values)


@pytest.mark.parametrize(
    ("value", "change", "complaint"),
    [
        (TASK, _set(output={"kind": "classes", "names": []}), "at least one class"),
        (TASK, _set(name="../x"), "Not a task name"),
        (TASK, _set(access={"readers": ["a\x1b[31m"]}), "not a name"),
        (TASK, _set(input={"kind": "image", "height": 8, "width": 8, "channels": 2**40}), "channels: expected 1 or 3"),
        (TASK, _set(input={"kind": "image", "height": -8, "width": 8, "channels": 1}), "image side"),
        (TASK, lambda table: table["splits"]["test"].update(num_examples=-1), "num_examples"),
        (TASK, lambda table: table["splits"]["test"].update(num_examples=2**60), "num_examples"),
        (TASK, lambda table: table["splits"]["test"]["slices"][0].update(stop=2**60), "slice"),
        (MODEL, _set(task="A/../b"), "not a name"),
        (MODEL, _set(task_id="../../etc/passwd"), "64 hex digits"),
        (MODEL, _set(root=None), "exactly the root models"),
        (MODEL, _ref(id="x"), "64 hex digits"),
        (MODEL, _ref(num_params=-1), "num_params"),
        (MODEL, _ref(size_bytes=2**62), "size_bytes"),
        (MODEL, _ref(training={"\u202e": {"steps": 1, "examples": 1}}), "not a name"),
        (MODEL, _ref(operation="exec"), "Invalid enum"),
        (MODEL, _set(hyperparameters={"num_layers": 2**60}), "absurd"),
        (MODEL, _set(hyperparameters={"num_layers": [1]}), "hyperparameters"),
        (MODEL, _set(architecture={"name": "vit", "config": {"width": -(2**60)}}), "absurd"),
        (MODEL, _set(mutation_rates={"clone:head": 1.5}), "µ"),
        (MODEL, _set(validation_curve=[2.0]), "share from 0 to 1"),
        (MODEL, _set(quality=-0.5), "share from 0 to 1"),
        (MODEL, _set(costs={"params": -1, "accounted_params": 1.0, "flops": 1}), "costs"),
        (MODEL, _set(costs={"params": 1, "accounted_params": -1.0, "flops": 1}), "accounted_params"),
        (MERGED, _merge(component="x"), "64 hex digits"),
        (MERGED, _merge(model="../x"), "64 hex digits"),
        (MERGED, _merge(weight=0.0), "weight of a merge: expected a number above 0 and below 1"),
        (MERGED, _merge(weight=1.0), "weight of a merge"),
        (MERGED, _merge(weight="all"), "weight"),
        (MERGED, lambda table: table.pop("merges"), "exactly the layers that a model merged"),
        (MERGED, _set(merges={}), "exactly the layers that a model merged"),
        (MERGED, _ref(operation="clone"), "exactly the layers that a model merged"),
        (MERGED, _ref(trainable=False), "exactly the layers that a model merged"),
        (CROSSED, _merge(weight=0.5), "all of the component that it came from"),
        (CROSSED, _ref(parent=OTHER), "all of the component that it came from"),
        (CROSSED, lambda table: table.pop("merges"), "exactly the layers that a model merged"),
        (CROSSED, _ref(operation="merge"), "weight of a merge"),
        (MODEL, _set(merges={}), "exactly the layers that a model merged"),
        (MODEL, _set(seed=1.5), "seed"),
        (MODEL, _set(origin={"source": "x", "blake3": OID}), "only root models have an origin"),
        (ROOT, _set(origin={"source": "x", "blake3": "y"}), "64 hex digits"),
        (ROOT, _set(origin={"blake3": OID}), "source"),
        (ROOT, _set(origin="augreg:Ti_16"), "origin"),
        (COMMIT, _set(parents=["x"]), "64 hex digits"),
        (COMMIT, _set(parents=[OID, OID]), "distinct"),
        (COMMIT, _set(model="../x"), "64 hex digits"),
        (COMMIT, _set(reset_to="x"), "64 hex digits"),
        (COMMIT, _set(iteration=-1), "children"),
        (COMMIT, _set(selections={OID: {"a": 2**60}}), "selections"),
        (COMMIT, _set(selections={"x": {}}), "64 hex digits"),
        (COMMIT, _set(finished_at="yesterday"), "expected a time"),
        (COMMIT, _set(finished_at="2026-01-02T03:04:05.000000+01:00"), "expected a time"),
        (COMMIT, _set(finished_at="２026-01-02T03:04:05.000000+00:00"), "expected a time"),
        (COMMIT, _set(message=None), "Expected `str`"),
        (COMMIT, _run(digest="x"), "64 hex digits"),
        (COMMIT, _run(seed=2**60), "seed: expected a number"),
        (COMMIT, _run(generations=0), "generations and children: expected a number"),
        (COMMIT, _run(children=-1), "generations and children: expected a number"),
        (COMMIT, _run(cores=0), "cores: expected a number"),
        (COMMIT, _run(device_s=-1.0), "device_s: expected seconds"),
        (COMMIT, _run(device_s=1e300), "device_s: expected seconds"),
        (COMMIT, _run(done=4), "done: expected a number from 0 to 3"),
        (COMMIT, _run(seen=[{"generation": 1, "snapshot": "../x"}]), "64 hex digits"),
        (COMMIT, _run(seen=[{"generation": 3, "snapshot": OID}]), "generations of snapshots: expected"),
        (COMMIT, _run(seen=[{"generation": 1, "snapshot": OID}] * 2), "must rise"),
        (COMMIT, _run(settings={"evolve.children": 2**60}), "absurd"),
        (COMMIT, _run(settings={"space.num_layers": [1, 2**60]}), "absurd"),
        (COMMIT, _run(settings={"space.mu": {}}), "settings"),
        (TRIED, _trial(parent="../x"), "64 hex digits"),
        (TRIED, _trial(model="x"), "64 hex digits"),
        (TRIED, _trial(clones=["head", "block"]), "clones of a trial: expected sorted"),
        (TRIED, _trial(clones=["head", "head"]), "clones of a trial: expected sorted"),
        (TRIED, _trial(cost=-1.0), "expected numbers, got the score 0.5 and the cost -1.0"),
        (TRIED, _trial(cost=None), "cost"),
        (TRIED, _trial(values={"x": 2**60}), "absurd"),
        (TRIED, _trial(outcome="nan"), "has a score unless it diverged"),
        (TRIED, lambda table: table["trials"].update(shared={"x": -(2**60)}), "absurd"),
        (TRIED, lambda table: table["trials"].update(shared={"momentum": 0.5}), "not those that all share"),
        (TRIED, lambda table: table["trials"].update(each=table["trials"]["each"] * 501), "at most 1000 trials"),
        (TRIED, lambda table: table["trials"]["scorer"].update(factor=0), "factor must lie in"),
        (TRIED, _set(improved=1), "improved"),
        (SNAPSHOT, _set(heads={"a": "x"}), "64 hex digits"),
        (SNAPSHOT, _set(heads={"../a": OID}), "not a name"),
        (SNAPSHOT, _set(roots={"CON": OID}), "not a name"),
        (SNAPSHOT, _set(base="x"), "64 hex digits"),
        (ENTRY, _set(commit="1" * 63), "64 hex digits"),
        (ENTRY, _set(previous="X" * 64), "64 hex digits"),
    ],
)
def test_what_cannot_be_right_is_refused(value: Any, change: Callable[[dict[str, Any]], None], complaint: str) -> None:
    with pytest.raises(CorruptObjectError, match=f"Cannot read the thing: .*{complaint}"):
        decoded(changed(value, change), type(value))


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e999", "9" * 5_000, "0x10", "1_0", "01"])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    data = encode(MODEL).replace(b'"score":0.5', b'"score":' + number.encode())
    with pytest.raises(CorruptObjectError, match="Cannot read the thing"):
        decoded(data, Model)


@pytest.mark.parametrize("text", [b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b'"\x01"', b'"\\u0041"', b'"\\x41"'])
def test_text_that_is_none_is_refused(text: bytes) -> None:
    data = encode(COMMIT).replace(b'"evolve cats"', text)
    with pytest.raises(CorruptObjectError, match="Cannot read the thing"):
        decoded(data, Commit)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), st.binary(max_size=20)), min_size=1, max_size=4)


@settings(max_examples=400)
@given(st.sampled_from(VALUES), EDITS)
def test_any_mutation_is_an_error_of_ours_or_a_value(value: Any, edits: list[tuple[float, int, bytes]]) -> None:
    data = encode(value)
    for share, cut, inserted in edits:
        place = int(share * len(data))
        data = data[:place] + inserted + data[place + cut :]
    try:
        found = decoded(data, type(value))
    except CorruptObjectError:
        return
    assert isinstance(found, type(value))


@settings(max_examples=400)
@given(st.sampled_from(VALUES), st.data())
def test_any_value_in_any_place_is_an_error_of_ours_or_kept(value: Any, data: st.DataObject) -> None:
    table = json.loads(encode(value))
    inner = table
    for _ in range(data.draw(st.integers(0, 3))):
        keys = [key for key, below in inner.items() if isinstance(below, dict) and below]
        if keys:
            inner = inner[data.draw(st.sampled_from(keys))]
    inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(JSON)
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        found = decoded(text.encode(errors="surrogatepass"), type(value))
    except CorruptObjectError:
        return
    if not getattr(found, "unknown_keys", ()):  # what has some is kept as it is, never encoded anew
        assert decoded(encode(found), type(value)) == found
