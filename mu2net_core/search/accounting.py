"""What a model costs its task: a component that several tasks use is shared out among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mu2net_core.objects import ComponentRef, Model

__all__ = ["account", "accounted_params"]


def accounted_params(components: Iterable[ComponentRef], users: Mapping[str, frozenset[str]], task: str) -> float:
    """Returns the task's share of the numbers in ``components``.

    A component's size is shared equally among the tasks whose retained models use it.

    Args:
        components: of the task's model.
        users: by component id, the tasks whose retained models use it.
        task: the model's own task, counted whether or not it is in ``users``.
    """
    return sum(ref.num_params / len(users.get(ref.id, frozenset()) | {task}) for ref in components)


def account(retained: Iterable[Model]) -> dict[str, frozenset[str]]:
    """Returns, by component id, the tasks whose models among ``retained`` use it."""
    users: dict[str, set[str]] = {}
    for model in retained:
        if model.task is not None:
            for ref in model.components:
                users.setdefault(ref.id, set()).add(model.task)
    return {oid: frozenset(tasks) for oid, tasks in users.items()}
