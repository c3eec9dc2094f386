"""Which objective a task has: that of its output's kind and its metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mu2net_core.errors import PluginError
from mu2net_core.objects import Output, Task, is_later, made_by_newer
from mu2net_core.plugins import Registry

if TYPE_CHECKING:
    from mu2net_core.objectives.objective import Objective

__all__ = ["OBJECTIVES", "objective_of"]

_HERE = "mu2net_core.objectives"

OBJECTIVES: Registry[Callable[[Output], Objective]] = Registry(
    group="mu2net.objectives",
    what="objective",
    shipped={
        "classes.accuracy": f"{_HERE}.classify:Classify.of",
        "classes.auroc": f"{_HERE}.by_class:Auroc.of",
        "classes.balanced-accuracy": f"{_HERE}.by_class:BalancedAccuracy.of",
        "classes.macro-f1": f"{_HERE}.by_class:MacroF1.of",
        "labels.f1": f"{_HERE}.multilabel:Multilabel.of",
        "labels.map": f"{_HERE}.multilabel:MeanAveragePrecision.of",
        "number.mae": f"{_HERE}.regress:MeanError.of",
        "number.r2": f"{_HERE}.regress:Regress.of",
    },
    offers=("__call__",),
)
"""What makes the objective of tasks with an output, by the output's kind and the metric: words joined by a point."""


def objective_of(task: Task) -> Objective:
    """Returns what the outputs of models of ``task`` are worth.

    Raises:
        NewerError: it says that a later version made it, and this one knows no such metric of such an output.
        PluginError: likewise, and it does not say so: a package that is not installed may have added it.
    """
    name = f"{task.output.kind}.{task.metric}"
    if name in OBJECTIVES:
        objective = OBJECTIVES.load(name)(task.output)
        return objective if task.class_weights is None else _weighted(objective, task.class_weights, name)
    cannot = f"Cannot tell what models of {task.name} are worth"
    what = f"its output is of the kind {task.output.kind!r} and its metric {task.metric!r}{_known(task.output.kind)}"
    if task.needs is not None and is_later(task.needs):
        raise made_by_newer(cannot, what, needs=task.needs)
    raise PluginError(
        f"{cannot}: {what}, and no installed package offers the objective {name}.",
        hint="Install the package that adds it, as whoever added the task has, or upgrade: pip install -U mu2net",
    )


def _weighted(objective: Objective, weights: Sequence[float], name: str) -> Objective:
    """Returns an objective in whose loss classes or labels count differently."""
    weighted = getattr(objective, "weighted", None)
    if weighted is None:
        raise PluginError(f"The objective {name} knows no weights of classes.", hint="Add the task without them")
    found: Objective = weighted(weights)
    return found


def _known(kind: str) -> str:
    """Returns in words which metrics of such an output there are."""
    metrics = [name.removeprefix(f"{kind}.") for name in OBJECTIVES.names() if name.startswith(f"{kind}.")]
    return f" (it knows {', '.join(metrics)})" if metrics else ""
