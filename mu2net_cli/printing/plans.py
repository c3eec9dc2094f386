"""What an evolution would do, in lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import counted, duration, quantity

if TYPE_CHECKING:
    from mu2net_core.api.evolving.plan_evolve import EvolvePlan, TaskPlan

__all__ = ["plan_lines"]


def plan_lines(plan: EvolvePlan) -> Iterator[str]:
    """Yields what would be done for each task, and what all of it would cost."""
    for task in plan.tasks:
        yield from _task_lines(task)
    memory = "" if plan.memory_bytes is None else f"; memory {quantity(plan.memory_bytes)}B"
    most, kept = max(task.most_bytes for task in plan.tasks), sum(task.kept_bytes for task in plan.tasks)
    disk = f"disk at most {quantity(most)}B while it runs, and {quantity(kept)}B to stay"
    yield f"All together about {duration(plan.train_s)} of training{memory}; {disk}"
    yield (
        f"Compiling comes on top: the first program of each preset took {duration(plan.compile_s)} now, and models of "
        "layers of other kinds or sizes need more; programs are kept for the next time"
    )


def _task_lines(task: TaskPlan) -> Iterator[str]:
    schedule, begun = task.schedule, f", of which {task.done} generations are done" if task.done else ""
    yield (
        f"{task.task} (preset {task.preset}): {counted(task.iterations, 'iteration')} of "
        f"{counted(task.generations, 'generation')} of {counted(task.children, 'child')}{begun}"
    )
    trained = "all children" + (f" and the {'refit' if task.refits == 1 else 'refits'}" if task.refits else "")
    yield (
        f"  each child {counted(schedule.cycles, 'cycle')} of {counted(schedule.steps, 'step')} of {schedule.batch} "
        f"examples ({schedule.examples} in all); {trained} take about {duration(task.train_s)}"
    )
    if task.refits:
        last = "the last iteration" if task.refits == 1 else f"each of the last {task.refits} iterations"
        which = "" if task.refits == task.iterations else f" of {last}"
        yield f"  the best one{which} is trained on in the end, on validation examples, too, if it was not before"
    own = ["its own model"] if task.own_model else []
    models = [
        *own,
        *(f"the model of {name}" for name in task.other_tasks),
        *(f"the root {name}" for name in task.roots),
    ]
    yield f"  children come from {_listed(models)}"


def _listed(names: list[str]) -> str:
    most = 5
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
