"""Kinds of what goes in and comes out: stored as they are; what is not known is said, and never lost."""

from __future__ import annotations

import json
import pickle
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

import pytest

from mu2net_core.errors import CorruptObjectError, InternalError
from mu2net_core.objects import (
    AccessRule,
    Classes,
    Column,
    Image,
    Labels,
    Model,
    Number,
    Other,
    Table,
    Task,
    Text,
    decode,
    decode_strict,
    encode,
    is_later,
    to_document,
    unknown_in,
)
from mu2net_core.testing.attacks.newer import NEWER, newer_task
from mu2net_core.testing.building.samples import sample_task

TASK = sample_task("a", AccessRule.only(["red"]))
INPUTS = [
    Image(height=None, width=3, channels=3),
    Text(max_length=280),
    Table(columns=(Column(name="age", values=None), Column(name="colour", values=("red", "blue")))),
    Other(kind="sound", values={"rate": 16_000, "bands": [{"low": 0.5}], "none": None}),
]
OUTPUTS = [
    Classes(names=("no", "yes")),
    Labels(names=("old",)),
    Number(mean=-1.5, deviation=1e-7),
    Other(kind="boxes", values={"names": ["cat"]}),
]


def read(data: bytes) -> Task:
    return decode_strict(data, Task, what="the task")


@pytest.mark.parametrize("given", INPUTS, ids=lambda given: given.kind)
@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output.kind)
def test_every_kind_comes_back_as_it_went_in(given: Any, output: Any) -> None:
    task = replace(TASK, input=given, output=output)
    found = read(encode(task))
    assert (found, found.input, found.output) == (task, given, output)
    assert encode(found) == encode(task)
    assert json.loads(encode(task))["input"] == to_document(task)["input"]


@pytest.mark.parametrize(
    ("output", "size", "labels"),
    [(OUTPUTS[0], 2, ("no", "yes")), (OUTPUTS[1], 1, ("old",)), (OUTPUTS[2], 1, ()), (OUTPUTS[3], 0, ())],
)
def test_an_output_says_how_many_numbers_come_out_and_what_they_are_called(output, size: int, labels) -> None:
    assert (output.size, output.labels) == (size, labels)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("an input", "its input is of the kind 'sound'"),
        ("both", "its input is of the kind 'sound'; its output is of the kind 'sound'"),
        ("a key", "it has the keys licence"),
        ("a key of an input", "it has the keys input.depth"),
        ("a key of a split", "it has the keys splits.train.weights"),
    ],
)
def test_what_is_not_known_is_told_by_name(name: str, told: str) -> None:
    assert unknown_in(read(newer_task("a", NEWER[name]))) == told


@pytest.mark.parametrize("key", ["licence", "unknown_keys"])
def test_a_key_that_is_not_known_is_never_dropped(key: str) -> None:
    task = read(newer_task("a", {key: ["CC0"]}))
    assert task.unknown_keys == (key,)
    with pytest.raises(InternalError, match=f"would drop its keys {key}"):
        encode(replace(task, source="npz:other.npz"))


def test_keys_of_a_model_that_are_not_known_are_told_wherever_they_are(tmp_path: Any) -> None:
    from mu2net_core.testing.building.samples import sample_repository

    repo = sample_repository(tmp_path)
    (oid,) = repo.objects.ids("model")
    plain = json.loads(repo.objects.read("model", oid))
    plain["components"][1]["bits"] = 4
    model = decode(encode(plain | {"pruned": True}), Model, what="it")
    assert unknown_in(model) == "it has the keys pruned, components.1.bits"
    assert unknown_in(repo.objects.model(oid)) is None


def test_of_many_keys_that_are_not_known_some_are_told_and_long_ones_are_cut() -> None:
    task = read(newer_task("a", {f"{'k' * 200}{number}": number for number in range(1000)}))
    assert len(task.unknown_keys) == 8
    assert max(map(len, task.unknown_keys)) == 80


def test_a_rule_that_is_not_understood_grants_nothing() -> None:
    task = read(newer_task("a", {"access": {"readers": None, "until": "2030"}}))
    assert task.access == AccessRule.only(())
    assert unknown_in(task) == "it has the keys access.until"


@pytest.mark.parametrize("other", ["input", "output"])
def test_a_kind_without_its_name_is_damaged(other: str) -> None:
    for plain in ({}, {"kind": None}, [], "image"):
        with pytest.raises(CorruptObjectError, match=f"an {other} with a kind"):
            read(newer_task("a", {other: plain}))


def test_what_a_known_kind_must_say_is_checked_as_ever() -> None:
    for plain in ({"kind": "image", "height": "8", "width": 8, "channels": 1}, {"kind": "image", "new": 1}):
        with pytest.raises(CorruptObjectError, match="Cannot read the task"):
            read(newer_task("a", {"input": plain}))


def test_a_kind_of_another_version_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        INPUTS[3].kind = "image"
    assert INPUTS[3] != Other(kind="sound", values={})


def test_a_kind_of_another_version_can_be_copied() -> None:
    for again in (copy(OUTPUTS[3]), deepcopy(OUTPUTS[3]), pickle.loads(pickle.dumps(OUTPUTS[3]))):
        assert again == OUTPUTS[3]
        assert isinstance(again, Other)
    task = replace(TASK, output=OUTPUTS[3])
    assert deepcopy(task) == task


@pytest.mark.parametrize(
    ("values", "size", "shape"),
    [
        ({}, 0, ()),
        ({"size": 3, "label_shape": [2, 4]}, 3, (2, 4)),
        ({"size": "large", "label_shape": "wide"}, 0, ()),
        ({"size": True, "label_shape": [0]}, 0, ()),
        ({"size": 2**40, "label_shape": [2**15, 2**15]}, 0, ()),
        ({"size": -1, "label_shape": [1] * 9}, 0, ()),
    ],
)
def test_an_output_of_another_kind_may_say_how_large_it_and_a_label_are(values, size: int, shape) -> None:
    output = Other(kind="boxes", values=values)
    assert (output.size, output.label_shape, output.label_dtype) == (size, shape, "float32")


def test_a_kind_that_an_installed_package_adds_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    task = replace(TASK, input=INPUTS[3], output=OUTPUTS[3])
    monkeypatch.setattr(
        "mu2net_core.objects.newer.offered",
        lambda group: {"mu2net.modalities": {"sound"}, "mu2net.objectives": {"lines.map"}}[group],
    )
    assert unknown_in(task) == "its output is of the kind 'boxes'"
    monkeypatch.setattr("mu2net_core.objects.newer.offered", lambda _group: {"sound", "boxes.map"})
    assert unknown_in(task) is None


@pytest.mark.parametrize(
    ("version", "later"),
    [("0.0.9", False), ("0.1.0", False), ("0.1", False), ("0.1.1", True), ("0.10", True), ("1", True)],
)
def test_versions_are_compared_number_by_number(version: str, *, later: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mu2net_core.objects.newer.__version__", "0.1.0")
    assert is_later(version) == later


def test_weights_of_classes_are_one_for_each_and_can_be_weights() -> None:
    names = {"output": {"kind": "classes", "names": ["no", "yes"]}}
    task = read(newer_task("a", names | {"class_weights": [0.6, 3.5]}))
    assert task.class_weights == (0.6, 3.5)
    assert unknown_in(task) is None
    assert b"class_weights" not in encode(replace(task, class_weights=None)), "the ids of other tasks stay"
    for weights in ([1.0], [1.0, 0.0], [1.0, -2.0], [1.0, 1e7], ["1", "2"], 1.0):
        with pytest.raises(CorruptObjectError):
            read(newer_task("a", names | {"class_weights": weights}))
    with pytest.raises(CorruptObjectError, match="expected 0 numbers"):
        read(newer_task("a", {"output": {"kind": "number", "mean": 0.0, "deviation": 1.0}, "class_weights": [1.0]}))
