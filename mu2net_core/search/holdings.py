"""Who holds which component, as far as the active task's commits may tell: what is its own, and what a layer costs it.

Only heads that a commit of the task may name count. Others, private ones above all, change nothing: what a public task
does would tell of them, and could not be repeated from what its commit names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mu2net_core.objects import ComponentRef, Model, System
from mu2net_core.scoring import account, accounted_params

__all__ = ["Holdings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Who holds what, as the active task sees it.

    Attributes:
        task: the active task.
        users: by component id, the tasks whose retained models use it.
        roots: ids of the components of root models.
    """

    task: str
    users: Mapping[str, frozenset[str]] = field(default_factory=dict)
    roots: frozenset[str] = frozenset()

    @classmethod
    def of(cls, system: System, task: str) -> Holdings:
        """Returns who holds what in ``system`` now."""
        named = (head.model for name, head in system.heads.items() if system.may_name(task, name))
        roots = (ref.id for model in system.roots.values() for ref in model.components)
        return cls(task=task, users=account(model for model in named if model is not None), roots=frozenset(roots))

    def owns(self, model: Model, ref: ComponentRef) -> bool:
        """Returns whether a component of ``model`` is the active task's alone: its own model's, and nobody else's."""
        others = self.users.get(ref.id, frozenset()) - {self.task}
        return model.task == self.task and not others and ref.id not in self.roots

    def share_of(self, components: Iterable[ComponentRef]) -> float:
        """Returns the active task's share of the numbers in ``components``."""
        return accounted_params(components, self.users, self.task)
