from __future__ import annotations

from dataclasses import replace
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mu2net_core.codec import encode_component
from mu2net_core.engine import storing
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.slots import LayerPlan
from mu2net_core.engine.storing import Writer, _cropped, _told, stored
from mu2net_core.nn import VisionTransformer
from mu2net_core.objects import ComponentRef, Costs, Label, Training
from mu2net_core.presets import PRESETS
from mu2net_core.testing.building.workbench import Workbench


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch):
    """Returns a writer that lets 100 bytes wait."""
    monkeypatch.setattr(storing, "_WAITING_BYTES", 100)
    writer = Writer(Meter())
    yield writer
    writer.close()


def test_children_are_stored_in_order_beside_what_goes_on(writer: Writer) -> None:
    go, done = Event(), list[int]()

    def store(number: int) -> Any:
        assert go.wait(240)
        done.append(number)
        return number

    waiting = [writer.submit(lambda number=number: store(number), 30) for number in range(3)]
    assert done == []
    go.set()
    assert [one.result() for one in waiting] == done == [0, 1, 2]


def test_who_finds_no_room_waits_for_the_oldest(writer: Writer) -> None:
    go, more = Event(), Event()
    writer.submit(lambda: go.wait(240), 60)  # type: ignore[arg-type,return-value]
    waiting = Thread(target=lambda: (writer.submit(lambda: None, 60), more.set()))  # type: ignore[arg-type,return-value]
    waiting.start()
    assert not more.wait(0.05)
    go.set()
    assert more.wait(240)
    waiting.join()


def test_one_too_large_to_wait_is_stored_at_once(writer: Writer) -> None:
    done = list[str]()
    writer.submit(lambda: done.append("small"), 60)  # type: ignore[arg-type,return-value,func-returns-value]
    writer.submit(lambda: done.append("large"), 101)  # type: ignore[arg-type,return-value,func-returns-value]
    assert done == ["small", "large"]


def test_what_could_not_be_stored_shows_before_all_are_trained(writer: Writer) -> None:
    def fail() -> Any:
        raise OSError("no space left on device")

    writer.submit(fail, 60)
    with pytest.raises(OSError, match="no space left"):
        writer.submit(lambda: None, 60)  # type: ignore[arg-type,return-value]


def test_a_model_tells_whose_it_is_what_it_was_made_with_and_how_large_each_layer_of_it_is(
    bench: Workbench, plan_of, train_one, blueprint_of
) -> None:
    shop, plan = bench.workshop(), plan_of(bench.root(), ("block_0",))
    plan = replace(plan, mutation_rates={"learning_rate": 0.3})
    trained, blueprint = train_one(bench, plan), blueprint_of(plan)
    one = SimpleNamespace(plan=plan, blueprint=blueprint, costs=Costs(params=2, accounted_params=1.5, flops=1))
    model = stored(shop, one, trained).model  # type: ignore[arg-type]
    assert (model.task, model.task_id, model.device_kind) == ("a", shop.task_id, "bench")
    assert model.versions == {"jax": shop.provenance["jax"]}
    assert model.mutation_rates == {"learning_rate": 0.3}
    for ref in model.components:
        assert ref.size_bytes == len(encode_component(bench.components[ref.id]))
    assert {ref.name for ref in model.components if "a" in ref.training} == {"block_0", "norm", "head"}


def test_a_task_that_a_layers_manifest_leaves_out_is_told_without_numbers() -> None:
    ref = ComponentRef(id="0" * 64, name="x", num_params=1, size_bytes=1, trainable=False, operation="share")
    known = replace(ref, training={"a": Training(steps=3, examples=9)})
    label = Label(trained_by=("a", "b"))
    assert _told(known, label) == {"a": Training(steps=3, examples=9), "b": Training(steps=0, examples=0)}


def test_what_an_optimizer_remembers_is_stored_without_the_room_that_other_tasks_need(bench: Workbench) -> None:
    family = VisionTransformer()
    shop = replace(bench.workshop(), programs=Programs(family=family))
    spec = family.layers(PRESETS["vit-mini"].architecture.config, {"num_layers": 1}, 10)[-1]
    layer = LayerPlan(spec=spec, source=None, trainable=True, operation="new")
    padded = {name: np.ones(shape, dtype) for name, (shape, dtype) in family.shapes(family.roomy(spec)).items()}
    state = {f"second_moment/{name}": array for name, array in padded.items()}
    found = _cropped(shop, layer, {**state, "corrections": np.ones(2, np.float32)})
    assert found.pop("corrections").shape == (2,)
    shapes = {f"second_moment/{name}": shape for name, (shape, _) in family.shapes(spec).items()}
    assert {name: array.shape for name, array in found.items()} == shapes
    assert shapes != {name: array.shape for name, array in state.items()}
