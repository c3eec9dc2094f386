"""What happens during an evolution, in lines of plain text."""

from __future__ import annotations

from collections import Counter

from mu2net_cli.printing.render import counted, duration, percent, short
from mu2net_core.events import (
    AgentWaiting,
    ChildFinished,
    Compiled,
    CycleFinished,
    Event,
    GenerationFinished,
    IterationDropped,
    IterationFinished,
    IterationsQueued,
    IterationStarted,
    RefitStarted,
    RefitStepsFinished,
    Schedule,
    StepsFinished,
    TaskPushed,
)

__all__ = ["MOST_TOLD", "line_of", "often"]

MOST_TOLD = 10_000
"""Of so many results, the last ones, it is told once more at the end: an agent that watches has no end of them."""


def line_of(event: Event, *, verbose: bool = False) -> str | None:
    """Returns what an event says in one line of plain text; None for those only ``--verbose`` shows."""
    match event:
        case AgentWaiting() | IterationsQueued():
            return _what_next(event)
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


def _what_next(event: AgentWaiting | IterationsQueued) -> str:
    if isinstance(event, AgentWaiting):
        return "Nothing to do now; waiting for tasks."
    return f"Unfinished iterations go first: {', '.join(event.unfinished)}. Then: {often(event.then)}."


def _schedule(schedule: Schedule) -> str:
    steps = f"{counted(schedule.cycles, 'cycle')} of {counted(schedule.steps, 'step')}"
    return f"each child {steps} of {counted(schedule.batch, 'example')} ({schedule.examples} in all)"


def often(tasks: tuple[str, ...]) -> str:
    """Returns the names of tasks, each once, with how many iterations they have if that is more than one."""
    return ", ".join(f"{name} ({times} iterations)" if times > 1 else name for name, times in Counter(tasks).items())


def _detail(event: Event) -> str | None:
    match event:
        case StepsFinished() | CycleFinished() | ChildFinished():
            return f"{event.task}: generation {event.generation + 1}, child {event.child + 1}: {_of_child(event)}"
        case RefitStarted() | RefitStepsFinished():
            return f"{event.task}: trained once more, {_of_refit(event)}"
        case TaskPushed(outcome="failed"):
            return f"{event.task}: push to {event.remote} failed"
        case TaskPushed():
            return f"{event.task}: pushed to {event.remote}: {event.outcome}"
        case Compiled():
            return f"compiled {event.what} in {event.wall_s:.1f} s"
        case _:
            return None


def _of_refit(event: RefitStarted | RefitStepsFinished) -> str:
    if isinstance(event, RefitStarted):
        return f"on all {event.examples} examples, {counted(event.steps, 'step')}"
    return f"step {event.steps}"


def _of_child(event: StepsFinished | CycleFinished | ChildFinished) -> str:
    match event:
        case StepsFinished():
            return f"step {event.steps} of cycle {event.cycle + 1}, loss {event.loss:.3g}"
        case CycleFinished():
            return f"validation {percent(event.quality)} after cycle {event.cycle + 1}"
        case ChildFinished():
            score = "" if event.score == event.quality or event.score is None else f", score {percent(event.score)}"
            what = {"kept": "kept", "score": "discarded", "nan": "discarded: not finite"}[event.outcome]
            return f"validation {percent(event.quality)}{score}, {what}"
