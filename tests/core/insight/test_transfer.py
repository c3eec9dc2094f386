from __future__ import annotations

import pytest

from mu2net_core.insight import transfer
from mu2net_core.objects import Architecture, ComponentRef, Model, Training


def model(*layers: tuple[str, int, dict[str, int]]) -> Model:
    refs = tuple(
        ComponentRef(
            id=name,
            name=name,
            num_params=params,
            size_bytes=1,
            trainable=True,
            operation="clone",
            training={task: Training(steps=count, examples=count) for task, count in steps.items()},
        )
        for name, params, steps in layers
    )
    return Model(
        task="a", parent="p", architecture=Architecture(name="vit", config={}), components=refs, hyperparameters={}
    )


def test_shares_are_of_gradient_steps_per_layer_and_over_the_model() -> None:
    shares = transfer(model(("embedding", 600, {}), ("block", 300, {"a": 10, "b": 30}), ("head", 100, {"a": 5})))
    assert [(c.layer, c.shares) for c in shares.components] == [
        ("embedding", {}),
        ("block", {"a": 0.25, "b": 0.75}),
        ("head", {"a": 1.0}),
    ]
    assert shares.by_params == pytest.approx({"b": 0.75 * 0.75, "a": 0.75 * 0.25 + 0.25})
    assert list(shares.by_params) == ["b", "a"]
    assert shares.by_layer == pytest.approx({"a": 0.625, "b": 0.375})
    assert shares.untrained == pytest.approx(0.6)


def test_a_root_owes_nothing_to_any_task() -> None:
    shares = transfer(model(("embedding", 600, {}), ("block", 300, {"a": 0})))
    assert (shares.by_params, shares.by_layer, shares.untrained) == ({}, {}, 1.0)
