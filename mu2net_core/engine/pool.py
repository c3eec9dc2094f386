"""Components in memory: loaded once for all children that use them, as many as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from mu2net_core.objects import Component, ComponentRef

__all__ = ["ComponentPool"]

_MAX_BYTES = 2**27


@dataclass(slots=True)
class ComponentPool:
    """Loads components by id and keeps the last used ones on the host.

    Attributes:
        load: returns a component's arrays, verified.
        bring: told of components about to be loaded, so that those that are elsewhere can come together.
        max_bytes: of arrays that are kept; the last one used is in any case.
    """

    load: Callable[[str], Component]
    bring: Callable[[Sequence[ComponentRef]], None] = lambda _refs: None
    max_bytes: int = _MAX_BYTES
    _components: dict[str, Component] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock)

    def prepare(self, refs: Iterable[ComponentRef]) -> None:
        """Gets components ready that are about to be used."""
        missing = [ref for ref in refs if ref.id not in self._components]
        if missing:
            self.bring(missing)

    def component(self, oid: str) -> Component:
        """Returns the component's arrays."""
        found = self._components.get(oid)
        component = self.load(oid) if found is None else found
        self.add(oid, component)
        return component

    def add(self, oid: str, component: Component) -> None:
        """Puts a component that was just used or made; those that were not used for longest give way."""
        with self._lock:
            self._components.pop(oid, None)
            self._components[oid] = component
            room = self.max_bytes - sum(map(_size_bytes, self._components.values()))
            while room < 0 and len(self._components) > 1:
                room += _size_bytes(self._components.pop(next(iter(self._components))))


def _size_bytes(component: Component) -> int:
    return sum(array.nbytes for arrays in (component.params, component.opt_state) for array in arrays.values())
