from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu2net_core.errors import CorruptObjectError, InternalError
from mu2net_core.objects import (
    AccessRule,
    Agent,
    Architecture,
    Children,
    Commit,
    ComponentRef,
    Costs,
    HeadEntry,
    Model,
    Mutation,
    Origin,
    Run,
    Scorer,
    Seen,
    Snapshot,
    Training,
    Trial,
    Trials,
    decode,
    encode,
    hash_bytes,
)
from mu2net_core.testing.building.samples import sample_task

TASK = sample_task("cmaterdb/telugu", AccessRule.only(["cmaterdb/telugu"]))
REF = ComponentRef(
    id="a" * 64,
    name="head",
    num_params=45,
    size_bytes=4096,
    trainable=True,
    operation="clone",
    parent="b" * 64,
    training={"x": Training(steps=3, examples=24)},
)
ROOT = Model(architecture=Architecture(name="vit", config={}), components=(REF,), hyperparameters={}, seed=0)
MODEL = Model(
    task="x",
    task_id="c" * 64,
    architecture=Architecture(name="vit", config={"width": 192, "ratio": 0.5}),
    root="d" * 64,
    components=(replace(REF, name="embedding", operation="root", parent=None, training={}), REF),
    hyperparameters={"mu": 0.2, "num_layers": 1, "nesterov": False, "kind": "é"},
    mutation_rates={"clone:head": 0.22},
    parent="d" * 64,
    mutations=(Mutation(name="hp:mu", before=0.2, after=0.22), Mutation(name="clone:head")),
    validation_curve=(0.1, 1 / 3, 1e-7),
    quality=1 / 3,
    score=1 / 3,
    scorer=Scorer(),
    costs=Costs(params=90, accounted_params=67.5, flops=10**12),
    test_quality=0.3,
    seed=2**63 - 1,
    device_kind="cpu",
    versions={"jax": "0.10"},
)
COMMIT = Commit(
    task="x",
    task_id="c" * 64,
    model="e" * 64,
    parents=("f" * 64,),
    snapshot="0" * 64,
    iteration=2,
    selections={"d" * 64: {"agent": 3}},
    children=Children(sampled=8, kept=2, discarded={"nan": 1, "score": 5}),
    agent=Agent(id="agent", host="here", device="cpu"),
    started_at="2026-01-01T00:00:00.000000+00:00",
    finished_at="2026-01-01T00:01:00.000000+00:00",
    message="evolve x",
)
REPEATABLE = replace(
    COMMIT,
    run=Run(
        preset="tiny",
        settings={"space.mu": (0.1, 0.2), "evolve.children": 4, "default.nesterov": True},
        digest="a" * 64,
        seed=-5,
        generations=3,
        children=4,
        done=2,
        processor="Any 3 @ 2.5 GHz",
        cores=2,
        device_s=61.25,
        seen=(Seen(generation=1, snapshot="1" * 64),),
    ),
)
TRIED = replace(
    COMMIT,
    improved=False,
    trials=Trials.of(
        [
            Trial(
                values={"mu": 0.2, "nesterov": False},
                clones=("embedding",),
                parent="d" * 64,
                outcome="kept",
                score=1 / 3,
                cost=1e12,
                model="e" * 64,
            ),
            Trial(values={"mu": 0.2, "nesterov": True}, parent="d" * 64, outcome="nan", score=None, cost=0.0),
        ],
        Scorer(),
    ),
)
SNAPSHOT = Snapshot(heads={"x": "e" * 64, "a/b": "f" * 64}, roots={"default": "d" * 64})
ENTRY = HeadEntry(commit="e" * 64, previous=None)

VALUES = [TASK, MODEL, COMMIT, REPEATABLE, TRIED, SNAPSHOT, ENTRY]


@pytest.mark.parametrize(
    ("value", "oid"),
    [
        (TASK, "de8d3bb5b0fc84321bfbf77dd7d6cf3726cf3753a264433847022b101402ebe0"),
        (MODEL, "eabf39ae94039020c5ccda971a34f1835e411cca20382b125d42a1738bb5095d"),
        (COMMIT, "9985fe9724886033e42dff36ba07b8f2b364b751e7d09ba0fe29d11216b9387b"),
        (REPEATABLE, "c20f7da1aa1df0d983a0b077fa09e7508f13fa4fd8ca4bdc4769c15b95186217"),
        (TRIED, "039a2e1f8e1842c187de2622f7ff41349d05ba4ea391a5fbc9abbe01d1ea7854"),
        (SNAPSHOT, "f3292b118d4d3b63dd2d32b54f7a8e6ce4eec3ee3e94142733e5f035496e0acf"),
        (ENTRY, "9e6dfefad14744dc3915a4a76466c4df7bd38b1741001698984dd05a94b97b22"),
    ],
    ids=["task", "model", "commit", "repeatable commit", "commit with trials", "snapshot", "entry"],
)
def test_the_bytes_are_pinned(value: object, oid: str) -> None:
    assert hash_bytes(encode(value)) == oid


def test_the_bytes_of_an_entry_as_they_are() -> None:
    assert encode(ENTRY) == b'{"commit":"%s","format":1,"previous":null}' % (b"e" * 64)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_decoding_undoes_encoding(value: object) -> None:
    assert decode(encode(value), type(value), what="it") == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_the_order_of_keys_and_spaces_make_no_difference_to_a_reader(value: object) -> None:
    table = json.loads(encode(value))
    shuffled = json.dumps(dict(reversed(table.items())), indent=2).encode()
    assert encode(decode(shuffled, type(value), what="it")) == encode(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_a_number_is_never_stored(number: float) -> None:
    with pytest.raises(InternalError, match="Cannot store Model"):
        encode(replace(MODEL, score=number))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        encode(SNAPSHOT)[:-1],
        encode(SNAPSHOT) + b"{}",
        encode(SNAPSHOT).replace(b'"heads"', b'"hands"'),
        encode(SNAPSHOT).replace(b'"snapshot"', b'"commit"'),
        encode(SNAPSHOT).replace(b'"format":1', b'"format":"1"'),
        encode(SNAPSHOT).replace(b'"' + b"d" * 64 + b'"', b"5"),
    ],
    ids=range(12),
)
def test_bytes_that_are_no_snapshot_are_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptObjectError, match="Cannot read snapshot 12"):
        decode(data, Snapshot, what="snapshot 12")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"components": []}, "needs components"),
        ({"components": [json.loads(encode(REF))] * 2}, "distinct names"),
        ({"parent": None}, "neither task nor parent"),
        ({"scorer": {"factor": 0}}, "factor must lie in"),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_corrupt(change: Mapping[str, object], message: str) -> None:
    table = json.loads(encode(MODEL)) | change
    with pytest.raises(CorruptObjectError, match=message):
        decode(json.dumps(table).encode(), Model, what="model")


def test_unknown_keys_are_read_over() -> None:
    table = json.loads(encode(COMMIT)) | {"later": {"deep": [1]}}
    assert decode(json.dumps(table).encode(), Commit, what="commit") == COMMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbers:
    floats: tuple[float, ...]
    text: str


@settings(max_examples=200)
@given(
    floats=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    text=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_every_float_and_text_survives(floats: list[float], text: str) -> None:
    value = _Numbers(floats=tuple(floats), text=text)
    found = decode(encode(value), _Numbers, what="it")
    assert [x.hex() for x in found.floats] == [x.hex() for x in floats]
    assert found.text == text
    assert encode(found) == encode(value)


def test_threads_may_decode_the_first_of_a_kind_at_the_same_time() -> None:
    """Threads that make msgspec look into one dataclass for the first time end the process, one time in six."""
    model = next((Path(__file__).parents[2] / "golden" / "v1" / "objects" / "model").rglob("*.json"))
    for _ in range(8):
        done = subprocess.run([sys.executable, "-c", _FIRST_TIMES, model], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


_FIRST_TIMES = """
import sys, threading
from pathlib import Path
from mu2net_core.objects import Model, decode

sys.setswitchinterval(1e-6)
barrier = threading.Barrier(16)
data = Path(sys.argv[1]).read_bytes()

def first() -> None:
    barrier.wait()
    decode(data, Model, what="a model")

threads = [threading.Thread(target=first) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_where_a_root_comes_from_is_left_out_if_it_is_random() -> None:
    assert b"origin" not in encode(ROOT)
    pretrained = replace(ROOT, seed=None, origin=Origin(source="mini.npz", blake3="e" * 64))
    assert decode(encode(pretrained), Model, what="it") == pretrained
    assert b'"origin":{"blake3":"eeee' in encode(pretrained)
