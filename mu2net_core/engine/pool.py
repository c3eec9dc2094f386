"""Components in memory: loaded once, shared by every child that uses them, let go when nobody does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np

from mu2net_core.nn import Params
from mu2net_core.objects import Component, ComponentRef

__all__ = ["ComponentPool", "to_host", "zeros_like"]


@dataclass(slots=True)
class ComponentPool:
    """Loads components by id and keeps their parameters on the device.

    Attributes:
        load: returns a component's arrays, verified.
        bring: told of components about to be loaded, so that those that are elsewhere can come together.
    """

    load: Callable[[str], Component]
    bring: Callable[[Sequence[ComponentRef]], None] = lambda _refs: None
    _components: dict[str, Component] = field(default_factory=dict)
    _params: dict[str, Params] = field(default_factory=dict)

    def prepare(self, refs: Iterable[ComponentRef]) -> None:
        """Gets components ready that are about to be used."""
        missing = [ref for ref in refs if ref.id not in self._components]
        if missing:
            self.bring(missing)

    def component(self, oid: str) -> Component:
        """Returns the component's arrays."""
        if oid not in self._components:
            self._components[oid] = self.load(oid)
        return self._components[oid]

    def params(self, oid: str) -> Params:
        """Returns the component's parameters as device arrays."""
        if oid not in self._params:
            self._params[oid] = {name: jnp.asarray(array) for name, array in self.component(oid).params.items()}
        return self._params[oid]

    def momentum(self, oid: str) -> Params:
        """Returns the momentum last used to train it, zeros where it has none, as device arrays."""
        component = self.component(oid)
        zeros = zeros_like(self.params(oid))
        stored = {name: component.opt_state.get(f"momentum/{name}") for name in zeros}
        return {name: zeros[name] if state is None else jnp.asarray(state) for name, state in stored.items()}

    def add(self, oid: str, component: Component) -> None:
        """Puts a component that was just made."""
        self._components[oid] = component

    def keep_only(self, oids: Collection[str]) -> None:
        """Lets go of every component that is not in ``oids``."""
        for cache in (self._components, self._params):
            for oid in set(cache) - set(oids):
                del cache[oid]

    def row(self, oids: Iterable[str]) -> tuple[Params, ...]:
        """Returns the parameters of consecutive layers."""
        return tuple(self.params(oid) for oid in oids)


def zeros_like(params: Params) -> Params:
    """Returns device arrays of zeros; made by NumPy, because JAX would compile a program for each shape."""
    return {name: jnp.asarray(np.zeros(array.shape, array.dtype)) for name, array in params.items()}


def to_host(params: Params) -> dict[str, np.ndarray]:
    """Returns device arrays as NumPy arrays."""
    return {name: np.asarray(array) for name, array in params.items()}
