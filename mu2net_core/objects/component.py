"""A component: one layer's parameters with the optimizer state last used to train them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mu2net_core.objects.access import AccessRule, component_rule, intersect
from mu2net_core.objects.names import check_name

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Component", "ComponentRef", "Label", "Operation", "Training", "hidden_training", "narrowest"]

Operation = Literal["root", "new", "clone", "insert", "interpolate", "grow", "merge", "cross"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Whose data trained a component or what it came from, and who was allowed to read all of that.

    It is part of the component's bytes, so that no manifest can tell otherwise.

    Attributes:
        trained_by: names of tasks, sorted and distinct.
        readers: groups and tasks that the rules of all these tasks allowed then, sorted and distinct; None for
            everybody, empty for nobody.
    """

    trained_by: tuple[str, ...] = ()
    readers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for names in (self.trained_by, self.readers or ()):
            if list(names) != sorted({check_name(name) for name in names}):
                raise ValueError(f"the names in a label must be sorted and distinct, got {names}")

    @property
    def rule(self) -> AccessRule:
        """Who was allowed to read what the component came from."""
        return AccessRule(readers=self.readers)

    def taught(self, task: str, access: AccessRule) -> Label:
        """Returns the label of what a task whose rule is ``access`` makes of a component with this one."""
        rule = intersect([self.rule, access])
        return Label(trained_by=tuple(sorted({*self.trained_by, task})), readers=rule.readers)

    def with_knowledge_of(self, other: Label) -> Label:
        """Returns the label of what holds the knowledge of both: who may read it was allowed to read either."""
        rule = intersect([self.rule, other.rule])
        return Label(trained_by=tuple(sorted({*self.trained_by, *other.trained_by})), readers=rule.readers)

    def hidden_by(self, training: Iterable[str]) -> tuple[str, ...]:
        """Returns the tasks of this label that a manifest leaves out which names those in ``training``."""
        return tuple(sorted({*self.trained_by} - {*training}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """The arrays of one layer, immutable once stored.

    Attributes:
        name: the layer, e.g. ``encoderblock_0``.
        config: what the architecture needs to rebuild the layer; numbers, strings and booleans.
        params: arrays by slash-joined name, e.g. ``mlp/dense_0/kernel``.
        opt_state: arrays by ``<state>/<param name>``, e.g. ``momentum/mlp/dense_0/kernel``; empty if never trained.
        label: whose data trained it.
    """

    name: str
    config: Mapping[str, int | float | str | bool]
    params: Mapping[str, np.ndarray]
    opt_state: Mapping[str, np.ndarray] = field(default_factory=dict)
    label: Label = Label()

    @property
    def num_params(self) -> int:
        """How many numbers ``params`` holds."""
        return sum(int(array.size) for array in self.params.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How much one task's data trained a component and its ancestors: gradient steps and examples seen."""

    steps: int
    examples: int

    def __post_init__(self) -> None:
        if self.steps < 0 or self.examples < 0:
            raise ValueError("steps and examples must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentRef:
    """A component's place in a model.

    Attributes:
        id: the component object.
        name: the layer it is in this model.
        num_params: numbers in ``params``.
        size_bytes: bytes of the object's file.
        trainable: whether this model trained it; otherwise it is frozen, its parent's own.
        operation: how it came to be; in a root, ``new`` if its numbers were drawn, ``root`` if a checkpoint has them.
        parent: the component it started from, or None.
        training: per task, what its whole lineage was trained with, this model included.
    """

    id: str
    name: str
    num_params: int
    size_bytes: int
    trainable: bool
    operation: Operation
    parent: str | None = None
    training: Mapping[str, Training] = field(default_factory=dict)

    @property
    def is_untrained(self) -> bool:
        """Whether its numbers are still as they were drawn: it holds nobody's knowledge."""
        return self.operation == "new" and not self.training


def narrowest(trained_by: Iterable[str], label: Label | None, rules: Mapping[str, AccessRule]) -> AccessRule:
    """Returns who may read a component, by the narrowest of all that is known of it.

    Args:
        trained_by: the tasks whose data trained it, as a manifest says.
        label: of the component itself; None if it is not at hand.
        rules: of all tasks; one that is not among them guards its knowledge from everybody.
    """
    if label is None:
        return component_rule(trained_by, rules)
    return intersect([component_rule({*trained_by, *label.trained_by}, rules), label.rule])


def hidden_training(
    refs: Iterable[ComponentRef], label_of: Callable[[str], Label | None]
) -> Iterator[tuple[ComponentRef, tuple[str, ...]]]:
    """Yields the components of which a manifest tells less than they do themselves, and the tasks it leaves out.

    Args:
        refs: what the manifest tells of them.
        label_of: returns the label of a component by its id; None if it is not at hand.
    """
    for ref in refs:
        label = label_of(ref.id)
        hidden = () if label is None else label.hidden_by(ref.training)
        if hidden:
            yield ref, hidden
