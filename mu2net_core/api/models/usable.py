"""Which tasks can be trained, measured and predicted for; every other is stored, shown, shared and left as it is."""

from __future__ import annotations

from mu2net_core.errors import DataError
from mu2net_core.objectives import Objective, objective_of
from mu2net_core.objects import Classes, Image, Task, made_by_newer, unknown_in

__all__ = ["check_usable"]


def check_usable(task: Task, verb: str) -> Objective:
    """Returns what outputs for a task are worth, if this version can work with its data.

    Args:
        task: as stored.
        verb: what is to be done, for the error.

    Raises:
        NewerError: a newer mu2net made the task.
        DataError: its data is of a kind that this version can only store.
    """
    cannot = f"Cannot {verb} {task.name}"
    if (unknown := unknown_in(task)) is not None:
        raise made_by_newer(cannot, unknown, needs=task.needs)
    if not isinstance(task.input, Image) or not isinstance(task.output, Classes):
        raise DataError(
            f"{cannot}: {task.input.kind} goes in and {task.output.kind} come out of its models, and this version "
            "works with image and classes only.",
            hint=f"What is known of it: mu2net show {task.name}",
        )
    return objective_of(task)
