"""Who may use what was learned from a task's data.

A rule is a set of reader names, or None for everybody. A private task's only reader is itself. Knowledge flows with
training, so what a component holds may be read by the intersection of the rules of every task that trained it or an
ancestor of it (`design: Access`; the papers' "dataset privacy control").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mu2net_core.errors import InvalidInputError

__all__ = ["PUBLIC", "AccessRule", "component_rule", "intersect", "may_read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """Who may read: ``readers`` names groups or tasks, sorted; None means public.

    An empty tuple means nobody (it can only come from an intersection).
    """

    readers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.readers is not None and list(self.readers) != sorted(set(self.readers)):
            raise InvalidInputError(f"Readers must be sorted and distinct, got {self.readers}.")

    @classmethod
    def only(cls, readers: Iterable[str]) -> AccessRule:
        """Returns a rule for exactly these readers."""
        return cls(readers=tuple(sorted(set(readers))))

    def allows(self, reader: AccessRule) -> bool:
        """Returns whether a task under the rule ``reader`` may use what this rule guards.

        A task belongs to the groups its own rule names; a public task belongs to none.
        """
        if self.readers is None:
            return True
        return bool(set(self.readers) & set(reader.readers or ()))

    def allows_all(self, audience: AccessRule) -> bool:
        """Returns whether *every* reader of ``audience`` may read: the test for sending something to a remote."""
        if self.readers is None:
            return True
        return audience.readers is not None and set(audience.readers) <= set(self.readers)


PUBLIC = AccessRule()


def intersect(rules: Iterable[AccessRule]) -> AccessRule:
    """Returns the rule that grants what all of ``rules`` grant."""
    readers: set[str] | None = None
    for rule in rules:
        if rule.readers is not None:
            readers = set(rule.readers) if readers is None else readers & set(rule.readers)
    return PUBLIC if readers is None else AccessRule.only(readers)


def component_rule(trained_by: Iterable[str], rules: Mapping[str, AccessRule]) -> AccessRule:
    """Returns the rule of a component trained, itself or an ancestor, on the tasks ``trained_by``.

    A task that is not in ``rules`` any more guards its knowledge from everybody.
    """
    return intersect(rules.get(task, AccessRule(readers=())) for task in trained_by)


def may_read(task: str, trained_by: Iterable[str], rules: Mapping[str, AccessRule]) -> bool:
    """Returns whether the task called ``task`` may use a component trained, itself or an ancestor, on ``trained_by``.

    What a task taught itself it may always use.
    """
    return component_rule(set(trained_by) - {task}, rules).allows(_reading_as(task, rules))


def _reading_as(task: str, rules: Mapping[str, AccessRule]) -> AccessRule:
    """Returns the groups a task belongs to: those its rule names.

    Another task that is private is no group: naming it as a reader gives to it and takes nothing from it.
    """
    own = rules.get(task, PUBLIC)
    groups = (name for name in own.readers or () if name == task or name not in (rules.get(name, PUBLIC).readers or ()))
    return PUBLIC if own.readers is None else AccessRule.only(groups)
