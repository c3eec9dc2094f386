from __future__ import annotations

import pytest

from mu2net_core.engine.pool import ComponentPool
from mu2net_core.objects import Component
from mu2net_core.testing.building.samples import sample_component


class Loader:
    """Counts what is loaded."""

    def __init__(self, **components: Component) -> None:
        self.components = components
        self.loaded: list[str] = []

    def __call__(self, oid: str) -> Component:
        self.loaded.append(oid)
        return self.components[oid]


def size_of(component: Component) -> int:
    return sum(array.nbytes for array in (*component.params.values(), *component.opt_state.values()))


def test_a_component_is_loaded_once() -> None:
    load = Loader(a=sample_component("head", 1))
    pool = ComponentPool(load)
    for _ in range(2):
        assert pool.component("a") is load.components["a"]
    assert load.loaded == ["a"]


def test_what_was_added_is_not_loaded_at_all() -> None:
    load, made = Loader(), sample_component("head", 3)
    pool = ComponentPool(load)
    pool.add("c", made)
    assert pool.component("c") is made
    assert load.loaded == []


def test_what_was_not_used_for_longest_gives_way_to_what_is() -> None:
    load = Loader(**{name: sample_component("head", number) for number, name in enumerate("abc")})
    pool = ComponentPool(load, max_bytes=2 * size_of(load.components["a"]))
    for oid in ("a", "b", "a", "c", "a", "b"):
        pool.component(oid)
    assert load.loaded == ["a", "b", "c", "b"]  # c took the place of b, not that of a


def test_one_component_too_large_to_keep_is_used_all_the_same() -> None:
    load = Loader(a=sample_component("head", 1), b=sample_component("head", 2))
    pool = ComponentPool(load, max_bytes=1)
    for oid in ("a", "a", "b", "a"):
        assert pool.component(oid) is load.components[oid]
    assert load.loaded == ["a", "b", "a"]


def test_what_cannot_be_loaded_is_the_loaders_error() -> None:
    with pytest.raises(KeyError):
        ComponentPool(Loader()).component("x")
