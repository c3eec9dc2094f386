from __future__ import annotations

import numpy as np
import pytest

from mu2net_core.engine.pool import ComponentPool, to_host
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


def test_a_component_is_loaded_once_whatever_is_asked_of_it() -> None:
    load = Loader(a=sample_component("head", 1))
    pool = ComponentPool(load)
    for _ in range(2):
        pool.component("a")
        pool.params("a")
        pool.momentum("a")
        pool.row(["a", "a"])
    assert load.loaded == ["a"]
    np.testing.assert_array_equal(pool.params("a")["kernel"], load.components["a"].params["kernel"])


def test_momentum_is_what_was_stored_and_zero_where_nothing_was() -> None:
    plain = sample_component("head", 1, opt_state=False)
    partly = Component(name="head", config={}, params=plain.params, opt_state={"momentum/kernel": np.full((4, 3), 2.0)})
    pool = ComponentPool(Loader(plain=plain, partly=partly))
    assert all(not array.any() for array in pool.momentum("plain").values())
    found = to_host(pool.momentum("partly"))
    assert (found["kernel"] == 2).all()
    assert not found["norm/bias"].any()
    assert {name: array.shape for name, array in found.items()} == {"kernel": (4, 3), "norm/bias": (3,)}


def test_what_is_forgotten_is_loaded_again_and_what_was_added_is_not_loaded_at_all() -> None:
    load = Loader(a=sample_component("head", 1), b=sample_component("head", 2))
    pool = ComponentPool(load)
    pool.params("a")
    pool.params("b")
    pool.add("c", sample_component("head", 3))
    pool.keep_only({"b", "c"})
    pool.params("b")
    pool.params("c")
    assert load.loaded == ["a", "b"]
    pool.params("a")
    assert load.loaded == ["a", "b", "a"]


def test_what_cannot_be_loaded_is_the_loaders_error() -> None:
    with pytest.raises(KeyError):
        ComponentPool(Loader()).params("x")
