from __future__ import annotations

import pytest

from mu2net_core.engine.pool import ComponentPool
from mu2net_core.objects import Component
from mu2net_core.testing.samples import sample_component


class Loader:
    """Counts what is loaded."""

    def __init__(self, **components: Component) -> None:
        self.components = components
        self.loaded: list[str] = []

    def __call__(self, oid: str) -> Component:
        self.loaded.append(oid)
        return self.components[oid]


def test_a_component_is_loaded_once() -> None:
    load = Loader(a=sample_component("head", 1))
    pool = ComponentPool(load)
    for _ in range(2):
        assert pool.component("a") is load.components["a"]
    assert load.loaded == ["a"]


def test_what_is_forgotten_is_loaded_again_and_what_was_added_is_not_loaded_at_all() -> None:
    load = Loader(a=sample_component("head", 1), b=sample_component("head", 2))
    pool = ComponentPool(load)
    pool.component("a")
    pool.component("b")
    pool.add("c", sample_component("head", 3))
    pool.keep_only({"b", "c"})
    pool.component("b")
    pool.component("c")
    assert load.loaded == ["a", "b"]
    pool.component("a")
    assert load.loaded == ["a", "b", "a"]


def test_what_cannot_be_loaded_is_the_loaders_error() -> None:
    with pytest.raises(KeyError):
        ComponentPool(Loader()).component("x")
