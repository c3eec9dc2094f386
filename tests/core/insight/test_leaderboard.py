from __future__ import annotations

import pytest

from mu2net_core.insight import leaderboard
from mu2net_core.objects import (
    PUBLIC,
    SPLITS,
    AccessRule,
    Architecture,
    Classes,
    Commit,
    ComponentRef,
    Costs,
    Head,
    Image,
    Model,
    Slice,
    Split,
    System,
    Task,
    Training,
)

SPLIT = Split(spec="x", slices=(Slice(split="x", start=0, stop=1),), num_examples=1, fingerprint="0")


def part(oid: str, params: int, *trained_by: str) -> ComponentRef:
    training = {task: Training(steps=1, examples=1) for task in trained_by}
    return ComponentRef(
        id=oid, name=oid, num_params=params, size_bytes=1, trainable=True, operation="clone", training=training
    )


def head(name: str, parent: str | None, quality: float, *parts: ComponentRef, access: AccessRule = PUBLIC) -> Head:
    task = Task(
        name=name,
        source="npz:/x",
        splits=dict.fromkeys(SPLITS, SPLIT),
        input=Image(height=1, width=1, channels=1),
        output=Classes(names=("a", "b")),
        metric="accuracy",
        access=access,
    )
    model = Model(
        task=name,
        parent=parent or "none",
        architecture=Architecture(name="vit", config={}),
        components=parts,
        hyperparameters={"num_layers": 2},
        quality=quality,
        score=quality / 2,
        test_quality=quality - 0.1,
        costs=Costs(params=1, accounted_params=1.0, flops=99),
    )
    commit = Commit(task=name, task_id="t", model=f"model-{name}", iteration=3, started_at="", finished_at="")
    return Head(commit_id=f"commit-{name}", commit=commit, task=task, model=model if parent else None)


SHARED = part("shared", 100, "a")
SYSTEM = System(
    heads={
        "a": head("a", "root", 0.9, SHARED, part("head-a", 10, "a")),
        "b": head("b", "model-a", 0.7, SHARED, part("head-b", 20, "b"), access=AccessRule.only(["b"])),
        "c": head("c", None, 0.0, SHARED),
    },
    roots={},
    rules={"a": PUBLIC, "b": AccessRule.only(["b"]), "c": PUBLIC},
    ancestors={},
)


def test_every_task_has_a_row_with_its_share_of_the_system() -> None:
    a, b, c = leaderboard(SYSTEM).rows
    assert (a.task, a.validation, a.test, a.score, a.iterations) == ("a", 0.9, 0.8, 0.45, 3)
    assert (a.params, a.accounted_params, a.flops, a.blocks) == (110, 60.0, 99, 2)
    assert (b.params, b.accounted_params, b.components, b.shared_components) == (120, 70.0, 2, 1)
    assert (a.parent_task, b.parent_task) == (None, "a")
    assert (a.knowledge_from, b.knowledge_from) == ((), ("a",))
    assert (a.readers, b.readers) == (None, ("b",))
    assert (c.model, c.validation, c.params) == (None, None, None)


def test_the_parent_task_is_that_of_the_nearest_ancestor_of_another_task() -> None:
    own = head("b", "model-a", 0.6, SHARED).model
    newest = head("b", "model-b0", 0.7, SHARED)
    assert own is not None
    system = System(heads={"a": SYSTEM.heads["a"], "b": newest}, roots={}, rules={}, ancestors={"model-b0": own})
    assert [row.parent_task for row in leaderboard(system).rows] == [None, "a"]


def test_the_system_counts_shared_components_once() -> None:
    board = leaderboard(SYSTEM)
    assert (board.params, board.num_components) == (130, 3)
    assert board.mean_validation == pytest.approx(0.8)
    assert board.mean_test == pytest.approx(0.7)


def test_an_empty_system() -> None:
    board = leaderboard(System(heads={}, roots={}, rules={}, ancestors={}))
    assert (board.rows, board.mean_test, board.params) == ((), None, 0)
