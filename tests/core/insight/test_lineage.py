from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mu2net_core.insight import ancestors, component_lineages, model_chain
from mu2net_core.objects import Architecture, ComponentRef, Model, Mutation, Training

ARCHITECTURE = Architecture(name="vit", config={})


def ref(oid: str, layer: str, operation: Any = "clone", parent: str | None = None, **steps: int) -> ComponentRef:
    return ComponentRef(
        id=oid,
        name=layer,
        num_params=10,
        size_bytes=100,
        trainable=operation != "root",
        operation=operation,
        parent=parent,
        training={task: Training(steps=count, examples=8 * count) for task, count in steps.items()},
    )


def frozen(made: ComponentRef) -> ComponentRef:
    return ComponentRef(
        id=made.id,
        name=made.name,
        num_params=made.num_params,
        size_bytes=made.size_bytes,
        trainable=False,
        operation=made.operation,
        parent=made.parent,
        training=made.training,
    )


def model(parent: str | None, task: str | None, *refs: ComponentRef, **fields: Any) -> Model:
    return Model(
        task=task, architecture=ARCHITECTURE, components=refs, hyperparameters={}, parent=parent, root=parent, **fields
    )


E0, H1, B1 = ref("e0", "embedding", "root"), ref("h1", "head", "new", None, a=5), ref("b1", "block_0", "insert", a=5)
B2 = ref("b2", "block_1", parent="b1", a=5, b=7)
H2 = ref("h2", "head", "new", None, b=7)
H3 = ref("h3", "head", parent="h1", a=9)
MODELS: Mapping[str, Model] = {
    "root": model(None, None, E0),
    "m1": model("root", "a", frozen(E0), B1, H1, quality=0.5),
    "m2": model("m1", "b", frozen(E0), B2, H2, mutations=(Mutation(name="clone:block_0"),)),
    # back on task a, the head comes from the nearest ancestor of the task, not from the parent
    "m3": model("m2", "a", frozen(E0), frozen(B2), H3),
}


def test_the_line_of_parents_ends_at_the_root() -> None:
    chain = model_chain("m3", MODELS.get)
    assert [oid for oid, _ in chain] == ["m3", "m2", "m1", "root"]
    line = ancestors(chain)
    assert [(a.model, a.task, a.quality) for a in line] == [
        ("m3", "a", None),
        ("m2", "b", None),
        ("m1", "a", 0.5),
        ("root", None, None),
    ]
    assert line[1].mutations == (Mutation(name="clone:block_0"),)


def test_every_layer_is_traced_to_the_models_that_made_it() -> None:
    embedding, block, head = component_lineages(model_chain("m3", MODELS.get), MODELS.get)
    assert [(s.operation, s.component, s.model, s.task) for s in embedding.steps] == [("root", "e0", "root", None)]
    assert [(s.operation, s.component, s.layer, s.model, s.task, s.added) for s in block.steps] == [
        ("clone", "b2", "block_1", "m2", "b", {"b": 7}),
        ("insert", "b1", "block_0", "m1", "a", {"a": 5}),
    ]
    assert [(s.component, s.model, s.added) for s in head.steps] == [("h3", "m3", {"a": 4}), ("h1", "m1", {"a": 5})]
    assert [line.trainable for line in (embedding, block, head)] == [False, False, True]
    assert all(line.complete for line in (embedding, block, head))
    assert block.steps[0].training["b"] == Training(steps=7, examples=56)


def test_a_line_that_leads_to_a_missing_manifest_says_so() -> None:
    here = {oid: found for oid, found in MODELS.items() if oid in {"m2", "m3"}}
    embedding, block, head = component_lineages(model_chain("m3", here.get), here.get)
    assert not embedding.complete  # frozen in the oldest manifest here: made by one that is not
    assert not block.complete
    assert [s.component for s in block.steps] == ["b2"]
    assert not head.complete
    assert head.steps[0].added == {"a": 9}


def test_a_root_is_its_own_ancestry() -> None:
    (embedding,) = component_lineages(model_chain("root", MODELS.get), MODELS.get)
    assert embedding.complete
    assert embedding.steps[0].model == "root"


def test_a_layer_may_be_inserted_again_after_it_was_dropped() -> None:
    models = {
        "root": model(None, None, E0),
        "m1": model("root", "a", frozen(E0), B1, H1),
        "m2": model("m1", "a", frozen(E0), frozen(H1)),
        "m3": model("m2", "a", frozen(E0), ref("b9", "block_0", "insert", "b1", a=6), frozen(H1)),
    }
    block = component_lineages(model_chain("m3", models.get), models.get)[1]
    assert [(s.component, s.model, s.added) for s in block.steps] == [("b9", "m3", {"a": 1}), ("b1", "m1", {"a": 5})]
