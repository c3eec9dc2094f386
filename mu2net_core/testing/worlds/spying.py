"""Somebody who writes into a remote to get what its readers may not have: he hides whose data made it, or names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mu2net_core.objects import ComponentRef, Model, Snapshot, Training
from mu2net_core.testing.attacks.attacker import Attacker

__all__ = ["Spy", "Victim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A component that is none of his business, and what a manifest tells of it, which leaks more easily than bytes."""

    ref: ComponentRef
    task: str
    model: str

    def hides(
        self, ref: ComponentRef, training: Mapping[str, Training], operation: Literal["clone", "root"] = "clone"
    ) -> ComponentRef:
        """Returns what lets a model list the component as one that other data trained, if it is in the same place."""
        if ref.name != self.ref.name:
            return ref
        return replace(self.ref, training=dict(training), trainable=False, parent=None, operation=operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spy(Attacker):
    """Writes into one remote, so that honest people bring there what he wants."""

    def forged_training(
        self, task: str, victim: Victim, training: Mapping[str, Training] | None = None
    ) -> frozenset[str]:
        """Lets a head list a component as one that no data, or other data, trained."""
        return self.append(task, model=self.put(self.child(task, lambda ref: victim.hides(ref, training or {}))))

    def forged_ancestor(self, task: str, victim: Victim) -> frozenset[str]:
        """Lets a head's model descend from one that lists a component as untrained."""
        parent = self.put(self.child(task, lambda ref: victim.hides(ref, {})))
        return self.append(task, model=self.put(self.child(task, parent_id=parent)))

    def descends_from(self, task: str, model_id: str) -> frozenset[str]:
        """Lets a head's model, in which is nobody's work, descend from a model of another task."""
        child = replace(self.child(task, parent_id=model_id), components=self._root().components)
        return self.append(task, model=self.put(child))

    def forged_root(self, victim: Victim) -> frozenset[str]:
        """Adds a root that lists a component as one of a checkpoint."""
        root = self._root()
        components = tuple(victim.hides(ref, {}, "root") for ref in root.components)
        return self.root_of(self.put(replace(root, components=components, seed=next(self.numbers))))

    def snapshot_naming(self, task: str, heads: Mapping[str, str]) -> frozenset[str]:
        """Lets a head's snapshot name commits of tasks that its readers may not know."""
        return self.append(task, snapshot=self.put(Snapshot(heads=dict(heads), roots={})))

    def _root(self) -> Model:
        return self.objects.model(min(self.refs.roots().values()))
