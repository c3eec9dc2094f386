"""Which tasks can be trained, measured and predicted for; every other is stored, shown, shared and left as it is."""

from __future__ import annotations

from mu2net_core.data import MODALITIES
from mu2net_core.errors import DataError, PluginError
from mu2net_core.objectives import Objective, objective_of
from mu2net_core.objects import Task, is_later, made_by_newer, unknown_in
from mu2net_core.version import __version__

__all__ = ["check_usable"]


def check_usable(task: Task, verb: str) -> Objective:
    """Returns what outputs for a task are worth, if this version and what is installed can work with its data.

    Args:
        task: as stored.
        verb: what is to be done, for the error.

    Raises:
        NewerError: a newer mu2net made the task.
        PluginError: a package that is not installed adds what goes in or comes out.
        DataError: its data is of a kind that can only be stored.
    """
    cannot = f"Cannot {verb} {task.name}"
    if (unknown := unknown_in(task)) is not None:
        if task.unknown_keys or (task.needs is not None and is_later(task.needs)):
            raise made_by_newer(cannot, unknown, needs=task.needs)
        raise PluginError(
            f"{cannot}: {unknown}, which neither mu2net {__version__} nor an installed package knows.",
            hint="Install the package that adds it, as whoever added the task has, or upgrade: pip install -U mu2net",
        )
    objective = objective_of(task)
    if task.input.kind not in MODALITIES or task.output.size < 1:
        raise DataError(
            f"{cannot}: {task.input.kind} goes in and {task.output.kind} come out of its models, and what can go in is "
            f"{', '.join(MODALITIES.names())}.",
            hint=f"What is known of it: mu2net show {task.name}",
        )
    return objective
