"""Components in memory: loaded once, shared by every child that uses them, let go when nobody does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from mu2net_core.objects import Component, ComponentRef

__all__ = ["ComponentPool"]


@dataclass(slots=True)
class ComponentPool:
    """Loads components by id and keeps them on the host.

    Attributes:
        load: returns a component's arrays, verified.
        bring: told of components about to be loaded, so that those that are elsewhere can come together.
    """

    load: Callable[[str], Component]
    bring: Callable[[Sequence[ComponentRef]], None] = lambda _refs: None
    _components: dict[str, Component] = field(default_factory=dict)

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

    def add(self, oid: str, component: Component) -> None:
        """Puts a component that was just made."""
        self._components[oid] = component

    def keep_only(self, oids: Collection[str]) -> None:
        """Lets go of every component that is not in ``oids``."""
        for oid in set(self._components) - set(oids):
            del self._components[oid]
