"""A model is measured again in float32 on the CPU, by a process of its own that ends with whoever asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving import publish
from mu2net_core.api.evolving.publish import move_head
from mu2net_core.api.models import apart, remeasure
from mu2net_core.api.models.apart import measured_apart
from mu2net_core.api.models.remeasure import remeasured
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.rechecking import could_differ
from mu2net_core.engine import LoadedModel, Measured, measure
from mu2net_core.errors import DeviceError
from mu2net_core.repo import Repository, load_system

BF16 = {"precision": "bfloat16"}
EXAMPLES = 8


def test_who_exchanges_loads_nothing_that_computes() -> None:
    """A program that pulls or watches over agents holds no device, whatever is measured for it."""
    program = "import mu2net_core.api.sharing.pull, mu2net_core.api.pool.pool, sys; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_model_of_bfloat16_is_measured_in_float32(grown, monkeypatch: pytest.MonkeyPatch) -> None:
    precisions = list[str]()

    def spied(model: LoadedModel, *args: Any, **options: Any) -> Measured:
        precisions.append(model.programs.precision)
        return measure(model, *args, **options)

    monkeypatch.setattr(remeasure, "measure", spied)
    repo = grown.open()
    model = repo.objects.model(str(load_system(repo).heads["digits"].model_id))
    assert model.validation_examples is not None
    assert model.hardware == ("cpu", "float32", "")
    told = repo.objects.put(replace(model, versions={**model.versions, **BF16}))
    assert remeasured(repo, grown.context, told, model.validation_examples) == model.quality
    assert precisions == ["float32"]


def test_a_model_that_was_trained_and_measured_in_bfloat16_meets_one_of_float32(planted, world) -> None:
    """Both begin alike and have one seed: what differs is how products were computed, and that is little."""
    whole, half, lines = planted, world(MU2NET_MACHINE_PRECISION="bfloat16"), list[str]()
    ours, told = whole.open(), replace(half.context, warn=lines.append, environ={**os.environ, **half.context.environ})
    remote.add(ours, whole.context, "origin", "shared")
    push(ours, whole.context)
    clone("shared", "theirs", whole.context)
    theirs = half.open("theirs")
    whole.evolve(ours, seed=1)
    half.evolve(theirs, seed=1)
    push(ours, whole.context)
    ids = [str(load_system(one).heads["digits"].model_id) for one in (ours, theirs)]
    models = [one.objects.model(oid) for one, oid in zip((ours, theirs), ids, strict=True)]
    assert [model.hardware for model in models] == [("cpu", "float32", ""), ("cpu", "bfloat16", "")]
    pull(theirs, told)
    again = {oid: remeasured(theirs, half.context, oid, 360) for oid in ids}
    assert again[ids[0]] == models[0].quality
    assert again[ids[1]] == pytest.approx(models[1].quality, abs=could_differ(*models, 360))
    assert f"the model {ids[1][:10]} (cpu, bfloat16)" in lines[0]
    assert "again in float32 on 360 examples" in lines[0]
    assert again[str(load_system(theirs).heads["digits"].model_id)] == max(again.values())


WAITS = """
import threading
from mu2net_core.api.models import remeasure
remeasure.remeasured = lambda *_: threading.Event().wait()
remeasure.open_repository = lambda _: None
remeasure.main("", "", "1")
"""


def test_it_is_measured_in_a_process_of_its_own_that_has_nothing_but_the_cpu(grown) -> None:
    repo = grown.open()
    oid = str(load_system(repo).heads["digits"].model_id)
    model = repo.objects.model(oid)
    assert model.validation_examples is not None
    context = replace(grown.context, environ={**os.environ, **grown.context.environ, "JAX_PLATFORMS": "nothing"})
    assert measured_apart(repo, context, oid, model.validation_examples, 300) == model.quality


def test_why_it_cannot_be_measured_comes_back(ann: Repository, context: Context) -> None:
    there, model = replace(context, environ=dict(os.environ)), str(load_system(ann).heads["a"].model_id)
    with pytest.raises(DeviceError, match="The model cannot be built"):
        measured_apart(ann, there, model, EXAMPLES, 300)
    with pytest.raises(DeviceError, match=r"ended with 1: ValueError: invalid literal"):
        measured_apart(ann, there, model, "x", 300)  # type: ignore[arg-type]


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Has what measures never come to an end; returns a pipe that it keeps open."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    program = f"import os; os.close(1); os.open({str(pipe)!r}, os.O_WRONLY); os.read(0, 1)"
    monkeypatch.setattr(apart, "_PROGRAM", ("-c", program))
    return pipe


@pytest.mark.parametrize(
    ("most_s", "is_stopping", "message"), [(0.0, False, "takes longer than it may"), (600.0, True, "is to end")]
)
def test_a_measurement_is_given_up_when_its_time_or_the_process_ends(
    ann: Repository, context: Context, endless: Path, most_s: float, is_stopping: bool, message: str
) -> None:
    handle = os.open(endless, os.O_RDONLY | os.O_NONBLOCK)
    there = replace(context, environ=dict(os.environ), is_stopping=lambda: is_stopping)
    with pytest.raises(DeviceError, match=message):
        measured_apart(ann, there, "m", EXAMPLES, most_s)
    assert os.read(handle, 1) == b""  # nobody has the other end: it is gone


def test_an_agent_that_is_to_end_measures_no_more(grown, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, seen = Flag(), list[bool]()

    def moved(repo: Repository, context: Context, task: str, commit_id: str) -> str:
        seen.append(context.is_stopping())
        stop.set()
        seen.append(context.is_stopping())
        return move_head(repo, context, task, commit_id)

    monkeypatch.setattr(publish, "move_head", moved)
    grown.evolve(grown.open(), stop=stop, generations=1, children=1)
    assert seen == [False, True]


def test_a_measurement_ends_with_whoever_asked_for_it() -> None:
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", WAITS], stdin=read)
    os.close(read)
    os.close(write)
    assert process.wait(60) == 1
