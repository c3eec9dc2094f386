"""What happens during an evolution, in lines of plain text."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import counted, duration, percent, short
from mu2net_core.events import (
    ChildFinished,
    Compiled,
    CycleFinished,
    Event,
    GenerationFinished,
    IterationDropped,
    IterationFinished,
    IterationsQueued,
    IterationStarted,
    Schedule,
)

if TYPE_CHECKING:
    from mu2net_core.api.context import Context

__all__ = ["line_of", "more_steps", "often", "warning_of"]

_FEW_STEPS = 8
"""A cycle of fewer gradient steps teaches hardly anything: the batch is more than an eighth of the examples."""

_ENOUGH_STEPS = 32
_LEAST_BATCH = 8
_MANY_STEPS = 2000
"""A child that was trained for so many steps is not helped by more of them, but by others beside it."""

_BATCH_SIZE = "MU2NET_EVOLVE_BATCH_SIZE"


def line_of(event: Event, *, verbose: bool = False) -> str | None:
    """Returns what an event says in one line of plain text; None for those only ``--verbose`` shows."""
    match event:
        case IterationsQueued():
            return f"Unfinished iterations go first: {', '.join(event.unfinished)}. Then: {often(event.then)}."
        case IterationDropped():
            lost = f"{counted(event.generations, 'finished generation')} of iteration {event.iteration}"
            return f"warning: {event.task}: dropped {lost}, which begins anew"
        case IterationStarted():
            resumed = f", resuming after {event.resumed_generation}" if event.resumed_generation else ""
            amount = f"{counted(event.generations, 'generation')} of {counted(event.children, 'child')}{resumed}"
            return (
                f"{event.task}: iteration {event.iteration}: {amount}; {_schedule(event.schedule)}; seed {event.seed}"
            )
        case GenerationFinished():
            done = f"{event.kept} kept and {event.discarded} discarded so far"
            best = f"best validation {percent(event.best_quality)}"
            time = f"{duration(event.wall_s)}, about {duration(event.eta_s)} left"
            return f"{event.task}: generation {event.generation + 1}: {best}; {done} ({time})"
        case IterationFinished():
            cut = ""
            if event.done < event.generations:
                cut = f" after {event.done} of {event.generations} generations, when time was up"
            result = f"validation {percent(event.validation)}, test {percent(event.test)}"
            outcome = "improved" if event.improved else "not improved"
            took = f"{duration(event.wall_s)}, commit {short(event.commit_id)}"
            return f"{event.task}: iteration {event.iteration} finished{cut}: {result}, {outcome} ({took})"
        case _:
            return _detail(event) if verbose else None


def warning_of(event: Event, context: Context) -> tuple[str, str] | None:
    """Returns a warning and its hint if an event tells of models that learn, or learned, nothing; else None."""
    match event:
        case IterationStarted() if not event.resumed_generation and event.schedule.steps < _FEW_STEPS:
            steps = counted(event.schedule.steps, "gradient step")
            found = f"a training cycle is only {steps} on {event.schedule.batch} of {event.schedule.examples} examples"
        case IterationFinished(only_class=str(name)):
            found = f"the model says {name!r} of every test example"
        case IterationFinished(at_chance=True):
            found = "the model is no better than always saying the most frequent class"
        case _:
            return None
    trained = f"a child is trained for {counted(event.schedule.total_steps, 'step')}"
    if event.schedule.total_steps < _MANY_STEPS:
        return (
            f"{event.task}: {found}",
            f"{trained}; for more of them: {more_steps(event.task, event.schedule, context)}",
        )
    more = f"{context.program} evolve --task {shlex.quote(event.task)} --generations {2 * event.generations}"
    return f"{event.task}: {found}", f"{trained}; for more children: {more}"


def more_steps(task: str, schedule: Schedule, context: Context) -> str:
    """Returns a command after which, or with which, each child of a task is trained for more steps."""
    batch = max(_LEAST_BATCH, schedule.steps * schedule.batch // _ENOUGH_STEPS)
    if batch < schedule.batch and schedule.steps < _ENOUGH_STEPS and _BATCH_SIZE not in context.environ:
        return f"{context.program} config set evolve.batch_size {batch}"
    return f"{context.program} evolve --task {shlex.quote(task)} --validations {4 * schedule.cycles}"


def _schedule(schedule: Schedule) -> str:
    steps = f"{counted(schedule.cycles, 'cycle')} of {counted(schedule.steps, 'step')}"
    return f"each child {steps} of {counted(schedule.batch, 'example')} ({schedule.examples} in all)"


def often(tasks: tuple[str, ...]) -> str:
    """Returns the names of tasks, each once, with how many iterations they have if that is more than one."""
    return ", ".join(f"{name} ({times} iterations)" if times > 1 else name for name, times in Counter(tasks).items())


def _detail(event: Event) -> str | None:
    match event:
        case CycleFinished():
            child = f"{event.task}: generation {event.generation + 1}, child {event.child + 1}"
            return f"{child}: validation {percent(event.quality)} after cycle {event.cycle + 1}"
        case ChildFinished():
            child = f"{event.task}: generation {event.generation + 1}, child {event.child + 1}"
            score = "" if event.score == event.quality or event.score is None else f", score {percent(event.score)}"
            what = {"kept": "kept", "score": "discarded", "nan": "discarded: not finite"}[event.outcome]
            return f"{child}: validation {percent(event.quality)}{score}, {what}"
        case Compiled():
            return f"compiled {event.what} in {event.wall_s:.1f} s"
        case _:
            return None
