"""What an evolution's events say of models that learn nothing, and what gives them more to learn from."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.events import Event, IterationFinished, IterationStarted, Schedule

__all__ = ["Advice", "advice_on", "more_steps"]

_FEW_STEPS = 8
"""A cycle of fewer gradient steps teaches hardly anything: the batch is more than an eighth of the examples."""

_ENOUGH_STEPS = 32
_LEAST_BATCH = 8
_MANY_STEPS = 2000
"""A child that was trained for so many steps is not helped by more of them, but by others beside it."""

_BATCH_SIZE = "MU2NET_EVOLVE_BATCH_SIZE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is wrong with how models learn, and what to do about it.

    Attributes:
        warning: what was found.
        hint: what helps, with a command.
    """

    warning: str
    hint: str


def advice_on(event: Event, context: Context) -> Advice | None:
    """Returns advice if an event tells of models that learn, or learned, nothing; else None."""
    match event:
        case IterationStarted() if not event.resumed_generation and event.schedule.steps < _FEW_STEPS:
            steps = _steps(event.schedule.steps, "gradient step")
            found = f"a training cycle is only {steps} on {event.schedule.batch} of {event.schedule.examples} examples"
        case IterationFinished(only_class=str(name)):
            found = f"the model says {name!r} of every test example"
        case IterationFinished(at_chance=True):
            found = "the model is no better than always saying one class"
        case _:
            return None
    return Advice(warning=f"{event.task}: {found}", hint=_hint(event, context))


def _hint(event: IterationStarted | IterationFinished, context: Context) -> str:
    total = event.schedule.total_steps
    trained = f"a child is trained for {_steps(total, 'step')}"
    if total < _MANY_STEPS:
        return f"{trained}; for more of them: {more_steps(event.task, event.schedule, context)}"
    more = f"{context.program} evolve --task {shlex.quote(event.task)} --generations {2 * event.generations}"
    return f"{trained}; for more children: {more}"


def more_steps(task: str, schedule: Schedule, context: Context) -> str:
    """Returns a command after which, or with which, each child of a task is trained for more steps."""
    batch = max(_LEAST_BATCH, schedule.steps * schedule.batch // _ENOUGH_STEPS)
    if batch < schedule.batch and schedule.steps < _ENOUGH_STEPS and _BATCH_SIZE not in context.environ:
        return f"{context.program} config set evolve.batch_size {batch}"
    return f"{context.program} evolve --task {shlex.quote(task)} --validations {4 * schedule.cycles}"


def _steps(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
