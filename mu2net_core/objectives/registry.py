"""Which objective a task has: that of its output's kind and its metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mu2net_core.errors import InternalError
from mu2net_core.objectives.classify import Classify
from mu2net_core.objectives.multilabel import Multilabel
from mu2net_core.objectives.objective import Objective
from mu2net_core.objectives.regress import Regress
from mu2net_core.objects import Number, Output, Task, made_by_newer

__all__ = ["objective_of"]

Maker = Callable[[Output], Objective]
"""Returns the objective of tasks with that output."""


def objective_of(task: Task) -> Objective:
    """Returns what the outputs of models of ``task`` are worth.

    Raises:
        NewerError: this version knows no such metric of such an output.
    """
    output, metric = task.output, task.metric
    if (output.kind, metric) not in _SHIPPED:
        known = sorted(name for kind, name in _SHIPPED if kind == output.kind)
        there = f" (it knows {', '.join(known)})" if known else ""
        raise made_by_newer(
            f"Cannot tell what models of {task.name} are worth",
            f"its output is of the kind {output.kind!r} and its metric {metric!r}{there}",
            needs=task.needs,
        )
    return _SHIPPED[output.kind, metric](output)


def _regress(output: Output) -> Objective:
    if not isinstance(output, Number):
        raise InternalError(f"Expected a number, got {output}.")
    return Regress(mean=output.mean, deviation=output.deviation)


_SHIPPED: Mapping[tuple[str, str], Maker] = {
    ("classes", "accuracy"): lambda _output: Classify(),
    ("labels", "f1"): lambda _output: Multilabel(),
    ("number", "r2"): _regress,
}
"""By kind of output and metric. Where there are plug-ins, theirs are looked up in the same way."""
