"""Events of an evolution, as tests of what is shown need them."""

from __future__ import annotations

from dataclasses import replace

from mu2net_core.events import (
    ChildFinished,
    CycleFinished,
    GenerationFinished,
    GenerationStarted,
    IterationFinished,
    IterationStarted,
    Schedule,
    Spent,
    StepsFinished,
    TaskPushed,
)
from mu2net_core.objects import ChildOutcome

__all__ = ["BEGUN", "FINISHED", "GENERATION", "PUSHED", "RESUMED", "SAMPLED", "SCHEDULE", "SPENT", "child", "cycle"]

SCHEDULE = Schedule(examples=1078, batch=32, steps=34, cycles=4)
BEGUN = IterationStarted(
    task="digits", iteration=1, generations=3, children=4, resumed_generation=0, seed=7, schedule=SCHEDULE
)
RESUMED = replace(BEGUN, resumed_generation=2)
SAMPLED = GenerationStarted(task="digits", iteration=1, generation=0)
SPENT = Spent(
    compile_s=1.0, train_s=7.0, validate_s=1.0, wait_s=0.5, examples=4000, examples_per_s=571.4, device_bytes=None
)
GENERATION = GenerationFinished(
    task="digits",
    iteration=1,
    generation=0,
    best_score=0.9,
    best_quality=0.9125,
    kept=3,
    discarded=1,
    wall_s=10.0,
    eta_s=70.0,
    children=(),
    spent=SPENT,
)
FINISHED = IterationFinished(
    task="digits",
    iteration=1,
    generations=3,
    done=3,
    validation=0.95,
    test=0.9431,
    improved=True,
    only_class=None,
    at_chance=False,
    schedule=SCHEDULE,
    commit_id="ab" * 32,
    model_id="cd" * 32,
    wall_s=33.0,
)

PUSHED = TaskPushed(task="digits", remote="origin", outcome="updated", commit="ab" * 32)


def steps(number: int, cycle: int = 0) -> StepsFinished:
    """Returns the event of so many steps of a cycle."""
    return StepsFinished(task="digits", iteration=1, generation=0, child=0, cycle=cycle, steps=number, loss=0.7)


def cycle(number: int, child: int = 0, quality: float | None = 0.5) -> CycleFinished:
    """Returns the event of a cycle that is over."""
    return CycleFinished(task="digits", iteration=1, generation=0, child=child, cycle=number, quality=quality)


def child(
    number: int, outcome: ChildOutcome = "kept", quality: float | None = 0.5, score: float | None = 0.5
) -> ChildFinished:
    """Returns the event of a child that was trained."""
    return ChildFinished(
        task="digits",
        iteration=1,
        generation=0,
        child=number,
        outcome=outcome,
        score=score,
        quality=quality,
        best_score=0.45,
        best_quality=0.5,
        wall_s=1.0,
    )
